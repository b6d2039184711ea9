"""What `peft-studio data inspect --json` prints: the contract that scripts rely on, and nothing beyond it."""

from __future__ import annotations

import msgspec

from engine.data.inspect import mapped_roles
from engine.data.nouns import FormatName, Inspection, Level, RoleName, Schema


class ColumnRole(msgspec.Struct, frozen=True, kw_only=True):
    """The role a column plays, and how sure that is (0 to 1)."""

    column: str
    role: RoleName
    confidence: float


class RowCounts(msgspec.Struct, frozen=True, kw_only=True):
    """`read` = `kept` + `bad`."""

    read: int
    kept: int
    bad: int


class ReportedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that cannot be used; `column` is a column's name, or the character of a malformed line."""

    line: int
    column: str | int | None
    problem: str
    remedy: str


class ReportedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something noticed: the kind, how bad, how many rows, their share (0 to 1), and what to do."""

    id: str
    level: Level
    rows: int
    share: float
    fix: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A source as it would be imported. `bad` holds the first hundred; `schema` is a guess when a finding says so."""

    format: FormatName
    encoding: str
    schema: Schema | None
    roles: tuple[ColumnRole, ...]
    rows: RowCounts
    bad: tuple[ReportedRow, ...]
    findings: tuple[ReportedFinding, ...]
    splits: dict[str, int]


def report_of(found: Inspection) -> Report:
    """An inspection in the words of the contract."""
    guessed = found.detection.mapping
    return Report(
        format=found.format.name,
        encoding=found.format.encoding,
        schema=found.schema or (guessed.schema if guessed else None),
        roles=tuple(
            ColumnRole(column=each.column, role=each.role, confidence=each.confidence)
            for each in mapped_roles(found.detection, found.mapping)
        ),
        rows=RowCounts(read=found.read, kept=found.rows, bad=found.bad_count),
        bad=tuple(
            ReportedRow(line=each.line, column=each.column, problem=_named(each.file, each.problem), remedy=each.remedy)
            for each in found.bad
        ),
        findings=tuple(
            ReportedFinding(id=each.id, level=each.level, rows=each.rows, share=each.share, fix=each.fix)
            for each in found.findings
        ),
        splits=found.splits,
    )


def _named(file: str, problem: str) -> str:
    return f"{file}: {problem}" if file else problem
