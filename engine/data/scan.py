"""One pass over a source: records become rows under a mapping, bad ones are kept with their reason, all is counted.

`read = rows + bad` always holds.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator

import msgspec

from engine.core.errors import DataError
from engine.data.cells import Unusable, as_text, columns_in, text_in
from engine.data.choices import choices_in
from engine.data.columns import MOST_LABELS, columns_of
from engine.data.nouns import SURE, BadRow, Detection, Mapping, Record, Row, SplitPlan, Tags
from engine.data.roles import detect_roles
from engine.data.sources import SIDES, Source
from engine.data.speakers import tags_of
from engine.data.tally import Tally
from engine.data.vocabulary import SPLIT_NAMES, joined_name
from engine.spec.prepared import Split

NEEDED: dict[str, tuple[str, ...]] = {
    "chat": ("messages",),
    "instruction": ("instruction", "output"),
    "classification": ("text", "label"),
    "text": ("text",),
    "preference": ("chosen", "rejected"),
    "kto": ("label",),
    "multiple_choice": ("instruction", "output", "choices"),
}


def scan(
    records: Iterable[Record | BadRow],
    make: Callable[[Record], Row | BadRow],
    tally: Tally,
    side: Callable[[str], Split | None],
) -> Iterator[tuple[Record, Row] | BadRow]:
    """Each record with the row that `make` makes of it, or what is bad, counted as it passes.

    `side` is what a file's name says of its rows.
    """
    for each in records:
        result = make(each) if isinstance(each, Record) else each
        if isinstance(result, BadRow):
            tally.refuse(result)
            yield result
        elif isinstance(each, Record):
            tally.add(each, result, side(each.file))
            yield each, result


def declared_mapping(source: Source, sample: list[Record]) -> Mapping | None:
    """What a declaration says of the columns, without optional ones that the file does not have."""
    if source.declared is None:
        return None
    columns = columns_of(sample)
    optional = ("system", "input", "tools", *(() if source.declared.talks else ("messages",)))
    absent = {role: "" for role in optional if getattr(source.declared, role) not in columns}
    return msgspec.structs.replace(source.declared, **absent)


def settle(
    name: str, read: Callable[[], Iterable[Record | BadRow]], sample: list[Record], mapping: Mapping | None
) -> tuple[Detection, Mapping]:
    """The mapping to use: the one given, checked, or the one detected. `read` gives all records of the source `name`.

    Raises DataError when neither will do.
    """
    detection = detect_roles(sample)
    columns = columns_of(sample)
    if mapping is not None:
        _check(mapping, columns)
    elif detection.sure and detection.mapping is not None:
        mapping = detection.mapping
    else:
        raise _must_map(name, columns, detection)
    if mapping.talks and mapping.tags == Tags():
        tags, _ = tags_of([each.values.get(mapping.messages) for each in sample])
        mapping = msgspec.structs.replace(mapping, tags=tags)
    if mapping.schema == "classification" and not mapping.task_text:
        mapping = _with_task_text(read(), mapping)
    if mapping.schema == "multiple_choice" and _counts_from_one(sample, mapping):
        mapping = msgspec.structs.replace(mapping, first_choice=1)
    return detection, mapping


def settle_split(source: Source, sample: list[Record], plan: SplitPlan) -> SplitPlan:
    """How the rows will be divided: as asked; else as the files' names or a column say; else by chance.

    Raises DataError when a column that the plan names is not there.
    """
    columns = columns_of(sample)
    for wanted in (plan.time, plan.column):
        if wanted and wanted not in columns:
            raise _no_column(wanted, "the split", columns)
    if plan.by == "time" and not plan.time:
        raise DataError("The split by time names no column.", f"There are: {', '.join(columns)}.", "Name one of them.")
    if plan.by in ("random", "time"):
        return plan
    column = plan.column or _split_column(sample)
    by = "given" if column or source.named_splits else "random"
    return msgspec.structs.replace(plan, by=by, column=column)


def _split_column(sample: list[Record]) -> str:
    """A column that says train, validation or test in every row."""
    for name in columns_of(sample):
        if joined_name(name) in SPLIT_NAMES:
            said = [as_text(each.values.get(name)).strip().casefold() for each in sample]
            if all(each in SIDES for each in said):
                return name
    return ""


def _check(mapping: Mapping, columns: tuple[str, ...]) -> None:
    for role in NEEDED[mapping.schema]:
        if not getattr(mapping, role):
            raise DataError(
                f"The mapping names no column for “{role}”.",
                f"Rows of the schema “{mapping.schema}” need: {', '.join(NEEDED[mapping.schema])}.",
                f"Choose the column for “{role}”: {', '.join(columns)}.",
            )
    for role, source in (*mapping.named, *(("choices", each) for each in mapping.choices)):
        for column in columns_in(source, columns):
            if column not in columns:
                raise _no_column(column, role, columns)


def _no_column(column: str, role: str, columns: tuple[str, ...]) -> DataError:
    near = difflib.get_close_matches(column, columns, 1)
    return DataError(
        f"There is no column “{column}” (for {role}).",
        f"The file has these columns: {', '.join(columns)}.",
        f"Did you mean “{near[0]}”?" if near else "Choose one of them.",
    )


def _must_map(name: str, columns: tuple[str, ...], detection: Detection) -> DataError:
    guess = detection.mapping
    hint = "Say which column is the instruction and which the output (or which one holds the text)."
    if guess is not None:
        parts = [f"{role}={source}" for role, source in guess.named]
        hint = f"If this guess is right, confirm it: {guess.schema}, {', '.join(parts)}."
    return DataError(
        f"It is not clear what the columns of {name} mean.",
        f"Found: {', '.join(columns[:50]) or 'none'}. The best guess is {detection.confidence:.0%} sure, "
        f"below {SURE:.0%}.",
        hint,
        "Or give the columns usual names, such as question and answer.",
        help="data",
    )


def _with_task_text(records: Iterable[Record | BadRow], mapping: Mapping) -> Mapping:
    """The mapping with a sentence that names the labels, all of them, so that every row asks the same."""
    labels: set[str] = set()
    for each in records:
        if isinstance(each, Record) and (label := text_in(each.values, mapping.label)).strip():
            labels.add(label)
        if len(labels) > MOST_LABELS:
            return msgspec.structs.replace(mapping, task_text="Name the category of this text.")
    listed = ", ".join(sorted(labels))
    sentence = f"Name the category of this text. Answer with one of: {listed}."
    return msgspec.structs.replace(mapping, task_text=sentence)


def _counts_from_one(sample: list[Record], mapping: Mapping) -> bool:
    """Answers are numbers, none of them 0, and one is the number of the choices."""
    said = [text_in(each.values, mapping.output).strip() for each in sample]
    if not said or not all(each.isdecimal() for each in said) or "0" in said:
        return False
    return any(int(each) == _choice_count(record, mapping) for each, record in zip(said, sample, strict=True))


def _choice_count(record: Record, mapping: Mapping) -> int:
    try:
        return len(choices_in(record.values, mapping)[0])
    except Unusable:
        return 0


def nothing_usable(name: str, tally: Tally) -> DataError:
    """The card for a source without one good row, with the first thing that is wrong."""
    first = tally.bad[0] if tally.bad else None
    why = f"Line {first.line}: {first.problem}" if first else "It has no records, only names of columns at most."
    if tally.bad_count > 1:
        why += f" (and {tally.bad_count - 1:,} more problems)"
    return DataError(
        f"No row of {name} can be used.",
        why,
        first.remedy if first else "Choose another file.",
        "Check that the columns are mapped as you mean them.",
    )
