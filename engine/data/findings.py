"""What is worth knowing about a dataset before it is trained on (requirements E5, E6). Pure: counts in, findings out.

Covered: size, bad rows, missing values, lengths on average, one answer for many, labels, lines that had to be mended,
file size. What is wrong with single rows is in `quality_findings`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from engine.data.nouns import Finding, Format, Limits, Mapping
from engine.data.tally import Tally

FEW, MANY, HUGE = 100, 100_000, 1_000_000
MISSING = 0.05
IMBALANCED = 10
LONG_OUTPUT, SHORT_INPUT = 1000, 10
"""Tokens on average, by estimate (requirement E6)."""
LEFT_OUT = ("bad_rows", "missing_values", "empty_turns")
"""Findings about records that are not among the rows."""


def findings_of(
    tally: Tally, format: Format, mapping: Mapping, columns: tuple[str, ...], limits: Limits
) -> list[Finding]:
    """Every finding about the whole."""
    return [
        *_size(tally),
        *_bad(tally),
        *_missing(tally),
        *_answers(tally),
        *_labels(tally),
        *_lengths(tally),
        *_mended(tally),
        *_file(format, mapping, columns, limits),
    ]


def ranked(findings: list[Finding], rows: int, read: int) -> tuple[Finding, ...]:
    """The findings with their share of the rows (of the records read, where they are left out), the worst first."""
    order = ("problem", "warning", "info")
    shared = [
        msgspec.structs.replace(each, share=round(each.rows / max(1, read if each.id in LEFT_OUT else rows), 4))
        for each in findings
    ]
    return tuple(sorted(shared, key=lambda each: order.index(each.level)))


def _size(tally: Tally) -> Iterator[Finding]:
    rows = tally.rows
    if tally.different < 2:
        yield Finding(
            id="one_row",
            rows=rows,
            level="problem",
            what="There is only one different row.",
            why="Nothing can be held out to measure whether training helped.",
            fix="Add more examples.",
        )
    elif rows < FEW:
        yield Finding(
            id="few_rows",
            rows=rows,
            level="warning",
            what=f"There are only {rows} rows.",
            why="A model learns a manner from 100 to 500 examples; with fewer it mostly learns them by rote.",
            fix="Add examples, or plan a small rank and few epochs.",
        )
    elif rows > MANY:
        more = "one epoch is usually enough" if rows <= HUGE else "a tenth of them often does as well"
        yield Finding(
            id="many_rows",
            rows=rows,
            level="info",
            what=f"There are {rows:,} rows.",
            why=f"With so many, {more}.",
            fix="Train one epoch.",
        )


def _bad(tally: Tally) -> Iterator[Finding]:
    if not tally.bad_count:
        return
    share = tally.bad_count / tally.read
    yield Finding(
        id="bad_rows",
        rows=tally.bad_count,
        level="problem" if share > 0.5 else "warning" if share > 0.05 else "info",
        what=f"{tally.bad_count:,} of {tally.read:,} records cannot be used ({share:.1%}).",
        why="They are malformed or miss a value; the others are imported.",
        fix="Look at the listed lines and mend them in the source file.",
    )


def _missing(tally: Tally) -> Iterator[Finding]:
    """Values that are not there, and turns without words (both among the bad rows)."""
    if tally.missing:
        share = tally.missing / tally.read
        yield Finding(
            id="missing_values",
            rows=tally.missing,
            level="warning" if share > MISSING else "info",
            what=f"{_records(tally.missing)} without a value ({share:.1%}).",
            why="Without a question or an answer there is nothing to learn; these records are left out.",
            fix="Fill the values in in the source file, or map another column.",
            repair="remap",
        )
    if tally.empty_turns:
        yield Finding(
            id="empty_turns",
            rows=tally.empty_turns,
            level="info",
            what=f"{tally.empty_turns:,} conversation{'s' * (tally.empty_turns > 1)} with a turn without words.",
            why="A turn that says nothing would teach the model to say nothing; these records are left out.",
            fix="Fill the turns in, or remove them in the source file.",
        )


def _records(count: int) -> str:
    return f"{count:,} record{'s' * (count != 1)}"


def _labels(tally: Tally) -> Iterator[Finding]:
    counts = tally.label_counts
    if len(counts) < 2 or max(counts.values()) < IMBALANCED * min(counts.values()):
        return
    most, least = (choose(counts, key=lambda each: counts[each]) for choose in (max, min))
    yield Finding(
        id="label_imbalance",
        rows=counts[least],
        level="warning",
        what=f"“{most[:40]}” stands in {counts[most]:,} rows, “{least[:40]}” in {counts[least]:,}.",
        why="A model learns the common label and hardly the rare one, and its accuracy hides that.",
        fix="Add rows with the rare label, or remove some with the common one.",
    )


def _answers(tally: Tally) -> Iterator[Finding]:
    if not tally.rows:
        return
    commonest = max(tally.answers.values())
    kinds = len(tally.answers)
    if kinds > 1 and commonest > 0.8 * tally.rows:
        yield Finding(
            id="one_answer",
            rows=commonest,
            level="warning",
            what=f"One answer stands in {commonest / tally.rows:.0%} of the rows.",
            why="A model can be right most of the time by always saying it.",
            fix="Add rows with the other answers, or remove some of these.",
        )


def _lengths(tally: Tally) -> Iterator[Finding]:
    if not tally.rows or not tally.prompt_characters:
        return
    asked, said = tally.prompt_tokens / tally.rows, tally.answer_tokens / tally.rows
    if said > LONG_OUTPUT:
        yield Finding(
            id="long_output",
            rows=tally.rows,
            level="warning",
            what=f"Answers are long: about {said:,.0f} tokens on average.",
            why="Long answers need much memory, and what is over the context length is cut.",
            fix="Raise the context length, or shorten the answers.",
        )
    if asked < SHORT_INPUT:
        yield Finding(
            id="short_input",
            rows=tally.rows,
            level="info",
            what=f"Questions are short: about {asked:,.1f} tokens on average.",
            why="A short question leaves much open, so the model has to guess what is wanted.",
            fix="Add context to the questions where it matters.",
        )
    if asked > 10 * said or said > 10 * asked:
        longer = "Questions" if asked > said else "Answers"
        yield Finding(
            id="imbalance",
            rows=tally.rows,
            level="info",
            what=f"{longer} are over ten times as long as their counterpart.",
            why="That is normal for summaries and labels, and unusual for a conversation.",
            fix="Check that the columns are mapped as you mean them.",
        )


def _mended(tally: Tally) -> Iterator[Finding]:
    for what, rows in tally.mended.items():
        yield Finding(
            id="mended_lines",
            rows=rows,
            level="info",
            what=f"{rows:,} line{'s' * (rows > 1)} read in spite of {what}.",
            why="Strictly that is not allowed there; the rows themselves are whole.",
            fix="Nothing to do here; other programs may refuse the file.",
        )


def _file(format: Format, mapping: Mapping, columns: tuple[str, ...], limits: Limits) -> Iterator[Finding]:
    if format.bytes > limits.warn_bytes:
        yield Finding(
            id="large_file",
            level="warning",
            what=f"The file is large: {format.bytes / 1e6:,.0f} MB.",
            why="Importing and preparing it takes a while.",
            fix="Go on, or take a part of it.",
        )
    if format.encoding == "utf-8-sig":
        yield Finding(
            id="byte_order_mark",
            level="info",
            what="The file begins with a byte order mark.",
            why="It is left out of the first column's name or text.",
            fix="Nothing to do.",
        )
    if format.name in ("csv", "tsv") and not format.header:
        yield Finding(
            id="no_header",
            level="info",
            what="The first line is read as a row, not as names of columns.",
            why="It looks like the other rows. The columns are called column_1, column_2, …",
            fix="If it is a header, give the columns usual names such as question and answer.",
        )
    doubled = [name for name in columns if name.removesuffix("_2") in columns and name.endswith("_2")]
    if format.name in ("csv", "tsv") and doubled:
        yield Finding(
            id="duplicate_columns",
            level="warning",
            what=f"The column “{doubled[0].removesuffix('_2')}” is there twice.",
            why=f"The second one is called “{doubled[0]}” here, so that none is lost.",
            fix="Check that the right one is mapped, or rename it in the file.",
        )
    if "rejected" in columns and mapping.output == "chosen":
        yield Finding(
            id="rejected_unused",
            level="info",
            what="The rejected answers are not used.",
            why="This learns from the chosen answers; it does not compare the two.",
            fix="Nothing to do, if that is what you want.",
        )
