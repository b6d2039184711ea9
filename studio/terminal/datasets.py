"""Data files and datasets as the terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.markup import escape

from engine.core.errors import DataError
from engine.data.diff import RowChange
from engine.data.inspect import mapped_roles
from engine.data.nouns import COLUMN_ROLES, Dataset, Finding, Inspection, Mapping, Row, SplitPlan
from engine.data.paging import PagedRow
from engine.data.preferences import shared_turns
from engine.data.preview import PreviewRow
from engine.data.quality_report import QualityReport
from studio.terminal.show import console, table

MOST_COLUMNS = 40
LEVELS = {"info": "[dim]note[/]", "warning": "[yellow]warning[/]", "problem": "[red]problem[/]"}


def print_inspection(found: Inspection) -> None:
    """Format, roles, problems with their lines, findings, and a first row."""
    form = found.format
    details = ", ".join(
        each for each in (form.encoding, f"delimiter {form.delimiter!r}" if form.delimiter else "") if each
    )
    console.print(f"[bold]{escape(found.source)}[/]: {form.name}{f' ({details})' if details else ''}")
    console.print(f"{found.rows:,} usable rows of {found.read:,}, {found.bad_count} with a problem")
    guesses = mapped_roles(found.detection, found.mapping)[:MOST_COLUMNS]
    if guesses:
        table(
            ("column", "role", ">sure", "because"),
            [[escape(g.column), g.role, f"{100 * g.confidence:.0f} %", escape(g.evidence)] for g in guesses],
        )
    if not found.detection.sure:
        console.print("[yellow]The columns' roles are not certain.[/] Import with --map role=column, for example:")
        console.print("  --map instruction=<column of the question> --map output=<column of the answer>")
    for bad in found.bad[:10]:
        where = f"{bad.file} line {bad.line}" if bad.file else f"line {bad.line}"
        console.print(f"  {escape(where)}: {escape(bad.problem)} {escape(bad.remedy)}")
    print_findings(found.findings)
    if found.quality:
        print_quality(found.quality)
    for row in found.sample[:1]:
        console.print()
        _print_row(row)


def print_findings(findings: Sequence[Finding]) -> None:
    """Each finding with its reason and remedy."""
    for finding in findings:
        console.print(f"{LEVELS[finding.level]} {escape(finding.what)} {escape(finding.why)} {escape(finding.fix)}")


def print_dataset(dataset: Dataset) -> None:
    """A dataset in a few lines."""
    console.print(f"[bold]{escape(dataset.name)}[/]  {dataset.id}")
    console.print(
        f"{dataset.rows:,} {'row' if dataset.rows == 1 else 'rows'}: "
        f"{dataset.train_rows:,} to train on, {dataset.validation_rows:,} held out"
        f"{f', {dataset.test_rows:,} for testing' if dataset.test_rows else ''}; "
        f"{dataset.schema}; lines with a problem: {dataset.bad:,}; repeated: {dataset.duplicates:,}"
        f"{f'; hidden: {dataset.hidden:,}' if dataset.hidden else ''}"
    )
    if dataset.score is not None:
        console.print(f"quality {dataset.score:.0f} of 100")
    print_findings(dataset.findings)


def print_change(change: RowChange) -> None:
    """A row that is different: what it was, what it is."""
    console.print()
    for row, sign in ((change.before, "[red]−[/]"), (change.after, "[green]+[/]")):
        if row is not None:
            console.print(f"{sign} line {change.line}")
            _print_row(row)


def print_quality(quality: QualityReport) -> None:
    """The score, what it is made of, and how long rows are."""
    console.print(f"[bold]Quality {quality.score:.0f} of 100[/]")
    for reason in quality.reasons:
        console.print(f"  −{reason.points:.1f} {_plain(reason.finding)}")


def print_preview(rows: Sequence[PreviewRow]) -> None:
    """Rows as the model sees them; what is learned is coloured, and marked where there is no colour."""
    for row in rows:
        console.print(f"\n[dim]row {row.source_row + 1}: {row.tokens:,} tokens, {row.trained_tokens:,} learned[/]")
        parts = [
            f"[magenta]⟦{escape(each.text)}⟧[/]" if each.trained else f"[dim]{escape(each.text)}[/]"
            for each in row.segments
        ]
        console.print("".join(parts))


def print_rows(rows: Sequence[PagedRow]) -> None:
    """Rows as conversations, each with its number, points and length."""
    for each in rows:
        seen = each.quality
        why = "".join(f", −{reason.points:.0f} {_plain(reason.finding)}" for reason in seen.reasons)
        console.print(f"\n[dim]row {seen.row:,}: {seen.score} points{why}; {seen.characters:,} characters[/]")
        _print_row(each.row.row)


def _plain(finding: str) -> str:
    """A finding's id in words."""
    return finding.replace("_", " ")


def _print_row(row: Row) -> None:
    if row.text:
        console.print(escape(row.text))
    for message in row.messages:
        style = "magenta" if message.role == "assistant" else "dim"
        calls = "".join(f" → {call.name}({call.arguments})" for call in message.tool_calls)
        console.print(f"[{style}]{message.role:<9}[/] {escape(message.content + calls)}")
    for message in row.rejected[shared_turns(row.messages, row.rejected) :]:
        console.print(f"[red]rejected[/]  {escape(message.content)}")
    if row.desired is not None:
        console.print("[dim]rated[/]     good" if row.desired else "[dim]rated[/]     bad")


def mapping_from(words: list[str]) -> Mapping | None:
    """--map role=column, several; the schema follows from the roles unless given as schema=. Raises DataError."""
    if not words:
        return None
    given = dict(_setting(word) for word in words)
    given.setdefault("schema", _schema(given))
    choices = [each.strip() for each in given.pop("choices", "").split(",") if each.strip()]
    try:
        return msgspec.convert({**given, "choices": choices}, Mapping)
    except msgspec.ValidationError as error:
        raise DataError(
            "The mapping cannot be used.",
            str(error),
            f"Roles are: {', '.join(COLUMN_ROLES)}, choices.",
            "Write for example --map instruction=question --map output=reply.",
        ) from error


def split_from(words: list[str]) -> SplitPlan | None:
    """--split setting=value, several. Raises DataError."""
    if not words:
        return None
    try:
        return msgspec.convert(dict(_setting(word) for word in words), SplitPlan, strict=False)
    except msgspec.ValidationError as error:
        raise DataError(
            "The split cannot be used.",
            str(error),
            f"Settings are: {', '.join(each.name for each in msgspec.structs.fields(SplitPlan))}.",
            "Write for example --split validation=0.1 --split test=0.1.",
        ) from error


def _setting(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name.strip(), value.strip()


def _schema(given: dict[str, str]) -> str:
    """The schema that has these roles."""
    if "chosen" in given and "rejected" in given:
        return "preference"
    if "choices" in given:
        return "multiple_choice"
    if "label" in given and ("output" in given or "messages" in given):
        return "kto"
    if "messages" in given and "instruction" not in given:
        return "chat"
    if "label" in given:
        return "classification"
    return "instruction" if "output" in given else "text"
