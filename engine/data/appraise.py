"""Everything that is known once all rows were read: their sides, their marks, the findings, and the score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.data.findings import findings_of, ranked
from engine.data.language import interval, language_name
from engine.data.marks import LEVEL_POINTS, MARKS, score_of
from engine.data.nouns import Finding, Format, Limits, Mapping, SplitPlan
from engine.data.quality_report import (
    CONTEXTS,
    FLAGS,
    LENGTHS,
    REPORT,
    Histogram,
    LanguageShare,
    QualityReport,
    Reason,
    TokenLengths,
    Truncation,
)
from engine.data.split import split_rows
from engine.data.tally import Tally
from engine.spec.files import write_struct

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from engine.data.study import Flags

CONTEXT = 2048
"""The context length that rows are judged by until a model is chosen."""


class Appraisal(NamedTuple):
    """What a dataset's rows turned out to be. `sides` are numbers in `split.SIDES`, one a row."""

    sides: bytes
    flags: Flags
    findings: tuple[Finding, ...]
    report: QualityReport


def appraise(
    tally: Tally, plan: SplitPlan, format: Format, mapping: Mapping, columns: tuple[str, ...], limits: Limits
) -> Appraisal:
    """Split and judge the rows that were counted; at least one must be there."""
    sides = split_rows(tally.keys, plan)
    return judge(tally, keys_sides=sides, found=findings_of(tally, format, mapping, columns, limits))


def judge(tally: Tally, keys_sides: bytes, found: list[Finding]) -> Appraisal:
    """The rows' marks and the score, where the sides are settled; `found` are findings about the whole."""
    from engine.data.quality_findings import findings_of_languages, findings_of_lengths, findings_of_marks

    flags = tally.quality.finish(tally.contents, keys_sides, CONTEXT)
    languages, sample = _languages(tally)
    expected = languages[0].language if languages else ""
    tokens = token_lengths(tally.quality.tokens, tally.rows)
    marked = list(findings_of_marks(flags))
    seen = [*findings_of_languages(languages, sample, expected), *findings_of_lengths(tokens)]
    reasons = (*(_of_mark(each, len(flags)) for each in marked), *_of_whole([*found, *seen]))
    report = QualityReport(
        score=round(max(0.0, 100.0 - sum(each.points for each in reasons)), 1),
        reasons=tuple(sorted((each for each in reasons if each.points), key=lambda each: -each.points)),
        row_scores=_score_histogram(flags),
        row_lengths=_length_histogram(tally.quality.tokens),
        languages=languages,
        language_sample=sample,
        tokens=tokens,
    )
    return Appraisal(keys_sides, flags, ranked([*found, *marked, *seen], tally.rows, tally.read), report)


def _of_mark(finding: Finding, rows: int) -> Reason:
    return Reason(finding.id, round(MARKS[finding.id].points * finding.rows / rows, 2))


def _of_whole(findings: list[Finding]) -> list[Reason]:
    return [Reason(each.id, LEVEL_POINTS[each.level]) for each in findings]


def _languages(tally: Tally) -> tuple[tuple[LanguageShare, ...], int]:
    found, sample = tally.quality.languages()
    shares: list[LanguageShare] = []
    for code, count in found.most_common():
        low, high = (count / sample,) * 2 if tally.rows <= sample else interval(count, sample)
        rows = round(tally.rows * count / sample)
        shares.append(
            LanguageShare(language=code, name=language_name(code), rows=rows, share=count / sample, low=low, high=high)
        )
    return tuple(shares), sample


def token_lengths(tokens: NDArray[numpy.integer], of: int, measured: str = "") -> TokenLengths:
    """The spread of rows' lengths in tokens; with the interval when they are a sample of `of` rows."""
    import numpy

    middle, high = numpy.quantile(tokens, (0.5, 0.95), method="inverted_cdf").tolist()
    return TokenLengths(
        measured=measured,
        rows=len(tokens),
        of=of,
        mean=round(float(tokens.mean()), 1),
        median=int(middle),
        p95=int(high),
        longest=int(tokens.max()),
        truncated=tuple(_truncation(int((tokens > each).sum()), len(tokens), of, each) for each in CONTEXTS),
    )


def _truncation(over: int, seen: int, of: int, context: int) -> Truncation:
    low, high = interval(over, seen) if seen < of else (over / seen, over / seen)
    return Truncation(context=context, share=over / seen, low=low, high=high)


def _score_histogram(flags: Flags) -> Histogram:
    """Rows by their score, in tens; 100 is in the last."""
    import numpy

    values, counts = numpy.unique(flags, return_counts=True)
    tens = [0] * 10
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        tens[min(9, score_of(value) // 10)] += count
    return Histogram(tuple(range(0, 101, 10)), tuple(tens))


def _length_histogram(tokens: NDArray[numpy.integer]) -> Histogram:
    """Rows by their estimated tokens, between powers of two."""
    import numpy

    edges = [0, *(2**power for power in range(4, max(5, int(tokens.max()).bit_length() + 1)))]
    return Histogram(tuple(edges), tuple(numpy.histogram(tokens, edges)[0].tolist()))


def write_quality(folder: Path, appraisal: Appraisal, tally: Tally) -> None:
    """The report and the rows' marks and lengths, beside the rows. Raises OSError."""
    import numpy

    write_struct(folder / REPORT, appraisal.report)
    (folder / FLAGS).write_bytes(appraisal.flags.astype("<u4").tobytes())
    (folder / LENGTHS).write_bytes(numpy.frombuffer(tally.quality.lengths, numpy.uint32).astype("<u4").tobytes())
