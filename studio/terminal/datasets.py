"""Data files and datasets as the terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.markup import escape

from engine.core.errors import DataError
from engine.data.nouns import Dataset, DatasetRow, Finding, Inspection, Mapping, Row
from studio.terminal.show import console, table

LEVELS = {"info": "[dim]note[/]", "warning": "[yellow]warning[/]", "problem": "[red]problem[/]"}


def print_inspection(found: Inspection) -> None:
    """Format, roles, problems with their lines, findings, and a first row."""
    form = found.format
    details = ", ".join(
        each for each in (form.encoding, f"delimiter {form.delimiter!r}" if form.delimiter else "") if each
    )
    console.print(f"[bold]{escape(found.source)}[/]: {form.name}{f' ({details})' if details else ''}")
    console.print(f"{found.rows:,} usable rows of {found.records:,}, {found.problem_count} with a problem")
    guesses = found.detection.roles
    if guesses:
        table(
            ("column", "role", ">sure", "because"),
            [[escape(g.column), g.role, f"{100 * g.confidence:.0f} %", escape(g.evidence)] for g in guesses],
        )
    if not found.detection.sure:
        console.print("[yellow]The columns' roles are not certain.[/] Import with --map role=column, for example:")
        console.print("  --map prompt=<column of the question> --map answer=<column of the answer>")
    for problem in found.problems[:10]:
        console.print(f"  line {problem.line}: {escape(problem.what)} {escape(problem.fix)}")
    print_findings(found.findings)
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
        f"{dataset.rows:,} rows: {dataset.train_rows:,} to train on, {dataset.validation_rows:,} held out; "
        f"{dataset.shape}; {dataset.problems} lines with a problem; {dataset.duplicates} repeated"
    )
    print_findings(dataset.findings)


def print_rows(rows: Sequence[DatasetRow]) -> None:
    """Rows as conversations."""
    for row in rows:
        console.print()
        _print_row(row.row)


def _print_row(row: Row) -> None:
    if row.text:
        console.print(escape(row.text))
    for message in row.messages:
        style = "magenta" if message.role == "assistant" else "dim"
        console.print(f"[{style}]{message.role:<9}[/] {escape(message.content)}")


def mapping_from(words: list[str]) -> Mapping | None:
    """--map role=column, several; the shape follows from the roles unless given as shape=. Raises DataError."""
    if not words:
        return None
    given = dict(_role(word) for word in words)
    given.setdefault("shape", _shape(given))
    try:
        return msgspec.convert(given, Mapping)
    except msgspec.ValidationError as error:
        raise DataError(
            "The mapping cannot be used.",
            str(error),
            "Roles are: messages, prompt, context, answer, system, text, label, system_text, instruction.",
            "Write for example --map prompt=question --map answer=reply.",
        ) from error


def _role(word: str) -> tuple[str, str]:
    role, _, column = word.partition("=")
    return role.strip(), column.strip()


def _shape(given: dict[str, str]) -> str:
    if "messages" in given:
        return "messages"
    if "label" in given:
        return "classification"
    if "answer" in given:
        return "instruction" if "context" in given else "pairs"
    return "text"
