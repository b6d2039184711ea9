"""A look at a file before it is imported: what it is, what its rows would become, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from engine.data.detect import detect
from engine.data.findings import findings_of
from engine.data.nouns import Detection, Finding, Format, Inspection, Limits, LineProblem, Mapping, Record, Row
from engine.data.read import read_records
from engine.data.roles import columns_of, detect_roles
from engine.data.scan import Tally, nothing_usable, sample_records, scan, settle

SHOWN = 10


def inspect_file(path: Path, limits: Limits | None = None, mapping: Mapping | None = None) -> Inspection:
    """What the file would become, under the mapping given or detected. Changes nothing.

    Columns whose meaning is not clear are no error here: then `mapping` is None and `detection` holds the guess.
    Raises DataError when the file cannot be read at all, or the mapping names a column it has not.
    """
    limits = limits or Limits()
    format = detect(path, limits)
    sample = sample_records(path, format)
    detection = detect_roles(sample)
    if mapping is None and not detection.sure:
        return _unmapped(path, format, sample, detection)
    detection, mapping = settle(path, format, sample, mapping)
    tally, first = Tally(), list[Row]()
    for each in scan(path, format, mapping, tally):
        if not isinstance(each, LineProblem) and len(first) < SHOWN:
            first.append(each[1])
    if not tally.rows:
        raise nothing_usable(path, tally)
    columns = columns_of(sample)
    findings = findings_of(tally, format, mapping, columns, limits)
    return _inspection(path, format, columns, detection, mapping, tally, findings, first)


def _unmapped(path: Path, format: Format, sample: list[Record], detection: Detection) -> Inspection:
    tally = Tally()
    for each in read_records(path, format):
        if isinstance(each, LineProblem):
            tally.refuse(each)
        else:
            tally.rows += 1
    if not tally.rows:
        raise nothing_usable(path, tally)
    finding = Finding(
        level="problem",
        what="It is not clear what the columns mean.",
        why=f"The best guess is {detection.confidence:.0%} sure.",
        fix="Choose the column for each role.",
    )
    return _inspection(path, format, columns_of(sample), detection, None, tally, [finding], [])


def _inspection(
    path: Path,
    format: Format,
    columns: tuple[str, ...],
    detection: Detection,
    mapping: Mapping | None,
    tally: Tally,
    findings: list[Finding],
    first: list[Row],
) -> Inspection:
    return Inspection(
        source=path.name,
        format=format,
        columns=columns,
        detection=detection,
        mapping=mapping,
        records=tally.records,
        rows=tally.rows,
        problem_count=tally.problem_count,
        problems=tuple(tally.problems),
        findings=tuple(findings),
        sample=tuple(first),
    )
