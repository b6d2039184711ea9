"""A look at a source before it is imported: what it is, what its rows would become, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from engine.data.appraise import appraise
from engine.data.columns import columns_of
from engine.data.convert import convert
from engine.data.nouns import (
    BadRow,
    Detection,
    Finding,
    Inspection,
    Limits,
    Mapping,
    Record,
    RoleGuess,
    Row,
    SplitPlan,
    TextRows,
)
from engine.data.read import read_source, sample_of
from engine.data.roles import detect_roles
from engine.data.scan import declared_mapping, nothing_usable, scan, settle, settle_split
from engine.data.sources import Source, open_source
from engine.data.split import SIDES
from engine.data.tally import Tally

SHOWN = 10


def inspect_file(
    path: Path | Sequence[Path],
    limits: Limits | None = None,
    mapping: Mapping | None = None,
    split: SplitPlan | None = None,
    text_rows: TextRows = "auto",
) -> Inspection:
    """What the source would become, under the mapping given or detected. Changes nothing.

    Columns whose meaning is not clear are no error here: then `mapping` is None and `detection` holds the guess.
    Raises DataError when the source cannot be read at all, no row can be used, or the mapping names a column it has
    not.
    """
    found, source, tally = _look(path, limits or Limits(), mapping, split or SplitPlan(), text_rows)
    if not found.rows:
        raise nothing_usable(source.name, tally)
    return found


def look_at(
    path: Path | Sequence[Path],
    limits: Limits | None = None,
    mapping: Mapping | None = None,
    split: SplitPlan | None = None,
    text_rows: TextRows = "auto",
) -> Inspection:
    """As `inspect_file`, but a source without one usable row is no error: it is told with what is wrong with it."""
    return _look(path, limits or Limits(), mapping, split or SplitPlan(), text_rows)[0]


def _look(
    path: Path | Sequence[Path], limits: Limits, mapping: Mapping | None, split: SplitPlan, text_rows: TextRows
) -> tuple[Inspection, Source, Tally]:
    source = open_source(path, limits, text_rows)
    sample = sample_of(source)
    mapping = mapping or declared_mapping(source, sample)
    detection = detect_roles(sample)
    tally, first = Tally(), list[Row]()
    if not sample or (mapping is None and not detection.sure):
        _count(source, tally)
        findings = [_nothing() if not sample else _unclear(detection)]
        return _inspection(source, sample, detection, None, tally, findings, first, {}), source, tally
    detection, mapping = settle(source.name, partial(read_source, source), sample, mapping)
    split = settle_split(source, sample, split)
    tally = Tally(mapping, split)
    for each in scan(read_source(source), partial(convert, mapping=mapping), tally, source.side):
        if not isinstance(each, BadRow) and len(first) < SHOWN:
            first.append(each[1])
    if not tally.rows:
        return _inspection(source, sample, detection, mapping, tally, [_nothing()], first, {}), source, tally
    seen = appraise(tally, split, source.format, mapping, columns_of(sample), limits)
    splits = {name: seen.sides.count(number) for number, name in enumerate(SIDES) if number < 2 or number in seen.sides}
    found = _inspection(source, sample, detection, mapping, tally, list(seen.findings), first, splits)
    return msgspec.structs.replace(found, quality=seen.report), source, tally


def _count(source: Source, tally: Tally) -> None:
    for each in read_source(source):
        if isinstance(each, BadRow):
            tally.refuse(each)
        else:
            tally.count(each)


def _nothing() -> Finding:
    return Finding(
        id="no_rows",
        level="problem",
        what="No row can be used.",
        why="There is nothing in it to learn from.",
        fix="Mend the listed lines, or choose another file.",
    )


def _unclear(detection: Detection) -> Finding:
    return Finding(
        id="unclear_columns",
        level="problem",
        what="It is not clear what the columns mean.",
        why=f"The best guess is {detection.confidence:.0%} sure.",
        fix="Choose the column for each role.",
    )


def mapped_roles(detection: Detection, mapping: Mapping | None) -> tuple[RoleGuess, ...]:
    """The role of each column: as it was guessed, or, where the mapping was given, as that says."""
    if mapping is None or mapping == detection.mapping or (detection.mapping and _same(mapping, detection.mapping)):
        return detection.roles
    return tuple(_given(each, mapping) for each in detection.roles)


def _same(one: Mapping, other: Mapping) -> bool:
    return _sources(one) == _sources(other)


def _sources(mapping: Mapping) -> list[tuple[str, str]]:
    named = (each for each in mapping.named if each[0] != "tools")
    return [*named, *(("input", each) for each in mapping.choices)]


def _given(guess: RoleGuess, mapping: Mapping) -> RoleGuess:
    role = next((role for role, source in _sources(mapping) if guess.column in _columns(source)), "ignored")
    said = "the mapping says so" if role != "ignored" else "nothing is learned from it"
    return RoleGuess(column=guess.column, role=role, confidence=1.0, evidence=said)  # type: ignore[arg-type]


def _columns(source: str) -> tuple[str, ...]:
    from engine.data.cells import PLACE

    return (source, *PLACE.findall(source))


def _inspection(
    source: Source,
    sample: list[Record],
    detection: Detection,
    mapping: Mapping | None,
    tally: Tally,
    findings: list[Finding],
    first: list[Row],
    splits: dict[str, int],
) -> Inspection:
    return Inspection(
        source=source.name,
        format=source.format,
        columns=columns_of(sample),
        detection=detection,
        mapping=mapping,
        read=tally.read,
        rows=tally.rows,
        bad_count=tally.bad_count,
        bad=tuple(tally.bad),
        findings=tuple(findings),
        sample=tuple(first),
        splits=splits,
    )
