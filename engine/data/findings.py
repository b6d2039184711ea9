"""What is worth knowing about a dataset before it is trained on (requirements E5, E6). Pure: counts in, findings out.

Covered: size, malformed rows, exact repeats, long answers, imbalance, one answer for many, encoding damage, file size.
Not covered: near repeats, languages, personal data.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.data.nouns import Finding, Format, Limits, Mapping
from engine.data.scan import Tally

FEW, MANY, HUGE = 100, 100_000, 1_000_000
CHARACTERS_PER_TOKEN = 4


def findings_of(
    tally: Tally, format: Format, mapping: Mapping, columns: tuple[str, ...], limits: Limits
) -> list[Finding]:
    """Every finding, the worst first."""
    found = [
        *_size(tally),
        *_problems(tally),
        *_repeats(tally),
        *_lengths(tally),
        *_damage(tally),
        *_file(format, mapping, columns, limits),
    ]
    order = ("problem", "warning", "info")
    return sorted(found, key=lambda each: order.index(each.level))


def _size(tally: Tally) -> Iterator[Finding]:
    rows = tally.rows
    if len(set(tally.hashes)) < 2:
        yield Finding(
            level="problem",
            what="There is only one different row.",
            why="Nothing can be held out to measure whether training helped.",
            fix="Add more examples.",
        )
    elif rows < FEW:
        yield Finding(
            level="warning",
            what=f"There are only {rows} rows.",
            why="A model learns a manner from 100 to 500 examples; with fewer it mostly learns them by rote.",
            fix="Add examples, or plan a small rank and few epochs.",
        )
    elif rows > MANY:
        more = "one epoch is usually enough" if rows <= HUGE else "a tenth of them often does as well"
        yield Finding(
            level="info", what=f"There are {rows:,} rows.", why=f"With so many, {more}.", fix="Train one epoch."
        )


def _problems(tally: Tally) -> Iterator[Finding]:
    if not tally.problem_count:
        return
    share = tally.problem_count / tally.records
    yield Finding(
        level="problem" if share > 0.5 else "warning" if share > 0.05 else "info",
        what=f"{tally.problem_count:,} of {tally.records:,} records cannot be used ({share:.1%}).",
        why="They are malformed or miss a value; the others are imported.",
        fix="Look at the listed lines and mend them in the source file.",
    )


def _repeats(tally: Tally) -> Iterator[Finding]:
    repeats = tally.duplicates
    if repeats and tally.rows:
        share = repeats / tally.rows
        yield Finding(
            level="warning" if share > 0.02 else "info",
            what=f"{repeats:,} rows repeat another one ({share:.1%}).",
            why="What is seen more often is learned more strongly. Repeats stay on one side of the split.",
            fix="Remove them, unless the weight is meant.",
        )
    if not tally.rows:
        return
    commonest = max(tally.answers.values())
    kinds = len(tally.answers)
    if kinds > 1 and commonest > 0.8 * tally.rows:
        yield Finding(
            level="warning",
            what=f"One answer stands in {commonest / tally.rows:.0%} of the rows.",
            why="A model can be right most of the time by always saying it.",
            fix="Add rows with the other answers, or remove some of these.",
        )


def _lengths(tally: Tally) -> Iterator[Finding]:
    if not tally.rows or not tally.prompt_characters:
        return
    asked, said = tally.prompt_characters / tally.rows, tally.answer_characters / tally.rows
    if said > 1000 * CHARACTERS_PER_TOKEN:
        yield Finding(
            level="warning",
            what=f"Answers are long: {said:,.0f} characters on average.",
            why="Long answers need much memory, and what is over the context length is cut.",
            fix="Raise the context length, or shorten the answers.",
        )
    if asked < 10 * CHARACTERS_PER_TOKEN:
        yield Finding(
            level="info",
            what=f"Questions are short: {asked:,.0f} characters on average.",
            why="A short question leaves much open, so the model has to guess what is wanted.",
            fix="Add context to the questions where it matters.",
        )
    if asked > 10 * said or said > 10 * asked:
        longer = "Questions" if asked > said else "Answers"
        yield Finding(
            level="info",
            what=f"{longer} are over ten times as long as their counterpart.",
            why="That is normal for summaries and labels, and unusual for a conversation.",
            fix="Check that the columns are mapped as you mean them.",
        )


def _damage(tally: Tally) -> Iterator[Finding]:
    if tally.mended:
        yield Finding(
            level="warning",
            what=f"{tally.mended:,} rows have damaged characters (such as Ã© or �).",
            why="The text was saved in one encoding and read in another; a model would learn the damage.",
            fix="Save the file as UTF-8 again from the program it came from.",
        )


def _file(format: Format, mapping: Mapping, columns: tuple[str, ...], limits: Limits) -> Iterator[Finding]:
    if format.bytes > limits.warn_bytes:
        yield Finding(
            level="warning",
            what=f"The file is large: {format.bytes / 1e6:,.0f} MB.",
            why="Importing and preparing it takes a while.",
            fix="Go on, or take a part of it.",
        )
    if format.name == "csv" and not format.header:
        yield Finding(
            level="info",
            what="The first line is read as a row, not as names of columns.",
            why="It looks like the other rows. The columns are called column_1, column_2, …",
            fix="If it is a header, give the columns usual names such as question and answer.",
        )
    if "rejected" in columns and mapping.answer == "chosen":
        yield Finding(
            level="info",
            what="The rejected answers are not used.",
            why="This learns from the chosen answers; it does not compare the two.",
            fix="Nothing to do, if that is what you want.",
        )
