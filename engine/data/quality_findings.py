"""What was seen row by row, in words: findings with their rows, why they matter, and what mends them (E5, E6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy

from engine.data.marks import MARKS
from engine.data.nouns import Finding, Level
from engine.data.quality_report import CONTEXTS, LanguageShare, TokenLengths
from engine.data.study import Flags

EXAMPLES = 20
MIXED = 0.05
CUT = 0.05


class _Said(NamedTuple):
    """How a mark is told: over the share `warns` the level is `level`, under it info."""

    what: str
    why: str
    fix: str
    level: Level = "warning"
    warns: float = 0.0


_SAID: dict[str, _Said] = {
    "duplicates": _Said(
        "{rows} repeating another one ({share}).",
        "What is seen more often is learned more strongly. Repeats stay on one side of the split.",
        "Remove them and keep the first of each, unless the weight is meant.",
        warns=0.02,
    ),
    "near_duplicates": _Said(
        "{rows} nearly the same as another one ({share}).",
        "They teach little that is new, and what is held out looks easier than it is.",
        "Remove them and keep the first of each.",
        warns=0.02,
    ),
    "leakage": _Said(
        "{rows} held out and trained on too.",
        "The model is measured on what it has seen, so the result is too good.",
        "Remove them from the held-out side.",
        level="problem",
    ),
    "near_leakage": _Said(
        "{rows} held out and nearly the same as one that is trained on.",
        "The model is measured on what it has almost seen, so the result is too good.",
        "Remove them from the held-out side.",
    ),
    "secrets": _Said(
        "{rows} with keys or private keys of services.",
        "A model can repeat what it was trained on, to anybody who asks.",
        "Replace them by [KEY], and have the keys revoked.",
        level="problem",
    ),
    "personal_data": _Said(
        "{rows} with personal data: e-mail addresses, telephone, bank or card numbers ({share}).",
        "A model can repeat what it was trained on, and the law may forbid using it for this.",
        "Replace them by their kind, such as [EMAIL].",
    ),
    "encoding_damage": _Said(
        "{rows} with damaged characters, such as Ã© or � ({share}).",
        "The text was saved in one encoding and read in another; a model would learn the damage.",
        "Repair what can be repaired; for � save the file as UTF-8 again from the program it came from.",
    ),
    "refusals": _Said(
        "{rows} with an answer that refuses to help ({share}).",
        "A model learns to refuse from few examples, also where it should not.",
        "Remove them, unless refusing is what it should learn.",
        warns=0.01,
    ),
    "boilerplate": _Said(
        "{rows} with boilerplate, such as “as an AI” or “click here to” ({share}).",
        "A model learns such phrases before anything else.",
        "Remove these rows, or mend them in the source.",
        warns=0.01,
    ),
    "role_order": _Said(
        "{rows} out of order: two turns of one speaker, or no answer at the end ({share}).",
        "Some chat templates refuse such rows; others teach the model to speak out of turn.",
        "Join or remove these turns in the source, or remove the rows.",
        warns=0.01,
    ),
    "length_outliers": _Said(
        "{rows} far longer or shorter than the others ({share}).",
        "The longest row decides how much memory a step needs; very short ones are often broken.",
        "Look at them, and remove them if they are not meant.",
        level="info",
    ),
    "lopsided": _Said(
        "{rows} whose question and answer differ in length by over ten times ({share}).",
        "That is normal for summaries and labels, and unusual for a conversation.",
        "Check that the columns are mapped as you mean them.",
        level="info",
    ),
    "nothing_to_train": _Said(
        "{rows} whose question alone fills the context length, by estimate ({share}).",
        "The answer is cut off whole, so nothing is learned from them.",
        "Raise the context length, or remove these rows.",
    ),
    "untrimmed": _Said(
        "{rows} with white space at the start or end of a text ({share}).",
        "A model learns to write the space too.",
        "Trim them.",
        level="info",
    ),
}


def findings_of_marks(flags: Flags) -> Iterator[Finding]:
    """A finding for each mark that any row bears."""
    for mark in MARKS.values():
        places = numpy.flatnonzero(flags & numpy.uint32(mark.mask))
        if len(places):
            said, share = _SAID[mark.id], len(places) / len(flags)
            words = {"rows": f"{len(places):,} row{'s' * (len(places) > 1)}", "share": f"{share:.1%}"}
            yield Finding(
                id=mark.id,
                level=said.level if share > said.warns else "info",
                what=said.what.format(**words),
                why=said.why,
                fix=said.fix,
                rows=len(places),
                examples=tuple((places[:EXAMPLES] + 1).tolist()),
                repair=mark.repair,
            )


def findings_of_languages(languages: tuple[LanguageShare, ...], sample: int, expected: str) -> Iterator[Finding]:
    """Rows in another language than most, or than the one expected."""
    others = [each for each in languages if each.language != expected]
    if not others or not sample:
        return
    share = sum(each.share for each in others)
    main = next((each.name for each in languages if each.language == expected), expected)
    listed = ", ".join(f"{each.name} {each.share:.1%} ({each.low:.1%} to {each.high:.1%})" for each in others[:4])
    yield Finding(
        id="language_mix",
        level="warning" if share > MIXED else "info",
        what=f"Not all rows are in {main}: {listed}.",
        why=f"Answers may come in the wrong language. Seen in a sample of {sample:,} rows, with the 95 % interval.",
        fix=f"Keep only the rows in {main}, unless the mix is meant.",
        rows=sum(each.rows for each in others),
        repair=f"drop:language:{expected}",
    )


def findings_of_lengths(tokens: TokenLengths) -> Iterator[Finding]:
    """How long rows are, and how many are cut at each context length."""
    cut = [each for each in tokens.truncated if each.share]
    listed = ", ".join(f"{each.context:,}: {_span(each.share, each.low, each.high)}" for each in cut)
    over = f"Cut at {listed}." if cut else f"None is cut at {CONTEXTS[0]:,} or more."
    how = f"counted by the tokenizer of {tokens.measured}" if tokens.measured else "estimated from characters"
    seen = (
        f"all {tokens.of:,} rows" if tokens.rows == tokens.of else f"a sample of {tokens.rows:,} of {tokens.of:,} rows"
    )
    usual = next((each for each in tokens.truncated if each.context == 2048), None)
    share = usual.share if usual else 0.0
    yield Finding(
        id="token_lengths",
        level="warning" if share > CUT else "info",
        what=f"Half of the rows have up to {tokens.median:,} tokens, 95 % up to {tokens.p95:,}. {over}",
        why=f"What is over the context length is cut off and not learned ({how}, {seen}).",
        fix="Choose a context length that cuts few rows." if cut else "Nothing to do.",
        rows=round(share * tokens.of),
        repair="raise_length" if share > CUT else "",
    )


def _span(share: float, low: float, high: float) -> str:
    return f"{share:.1%}" if low == high else f"{share:.1%} ({low:.1%} to {high:.1%})"
