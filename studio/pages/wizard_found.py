"""What was found in a data file: its form, each column's role, what to look at, and lines that could not be read."""

from __future__ import annotations

from typing import Any

import flet as ft
import msgspec

from engine.core.errors import unexpected
from engine.core.home import given_path
from engine.data.nouns import BadRow, Finding, Inspection, Mapping, Row, Schema
from studio.hooks import use_engine, use_session, use_surroundings
from studio.kit import (
    Busy,
    Choice,
    ErrorCard,
    badge,
    body,
    card,
    code,
    component,
    gigabytes,
    label,
    muted,
    notice,
    percent,
    plural,
    row,
    section,
)
from studio.session import WizardDraft
from studio.theme import S1, S2, S3, S4, Ink

LEVELS = {"problem": "bad", "warning": "warn", "info": "info"}
PROBLEMS_SHOWN, SAMPLES_SHOWN = 8, 3
SCHEMAS: dict[str, str] = {
    "chat": "conversations",
    "instruction": "questions with answers",
    "classification": "texts with labels",
    "text": "plain texts",
    "preference": "pairs of a better and a worse answer",
    "kto": "answers rated good or bad",
    "multiple_choice": "questions with choices",
}
MAPPABLE: tuple[Schema, ...] = ("instruction", "classification", "text", "preference", "kto", "chat")
NEEDED: dict[str, tuple[tuple[str, str], ...]] = {
    "instruction": (("instruction", "Question"), ("output", "Answer"), ("input", "Extra input (may stay empty)")),
    "classification": (("text", "Text"), ("label", "Label")),
    "text": (("text", "Text"),),
    "preference": (("instruction", "Question"), ("chosen", "Better answer"), ("rejected", "Worse answer")),
    "kto": (("instruction", "Question"), ("output", "Answer"), ("label", "Good or bad")),
    "chat": (("messages", "Conversation"),),
}


@component
def Found(draft: WizardDraft) -> Any:
    """Everything the inspection says."""
    found = draft.inspection
    assert found is not None
    blocks: list[ft.Control] = [card(_summary(found))]
    if not found.detection.sure:
        blocks.append(MapColumns(draft))
    blocks += [finding_notice(each) for each in found.findings]
    if found.bad_count:
        blocks.append(bad_rows(found.bad[:PROBLEMS_SHOWN], found.bad_count))
    if found.sample and not draft.dataset:
        blocks.append(section("The first rows", card(_samples(found.sample[:SAMPLES_SHOWN]))))
    return ft.Column(blocks, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _summary(found: Inspection) -> ft.Control:
    kind = SCHEMAS.get(found.schema or "", "rows whose columns need a role")
    what = f"{plural(found.rows, 'row')} of {kind}"
    form = f"{found.format.name.upper()}, {gigabytes(found.format.bytes)}"
    if found.format.encoding:
        form += f", {found.format.encoding}"
    roles = [
        ft.Container(
            ft.Row(
                [
                    code(guess.column, selectable=False),
                    badge(guess.role if guess.role != "ignored" else "not used", _tone(guess.role)),
                    muted(percent(guess.confidence) if guess.role != "ignored" else ""),
                ],
                spacing=S2,
                tight=True,
            ),
            border=ft.Border.all(1, Ink.BORDER),
            border_radius=16,
            padding=ft.Padding.symmetric(horizontal=S3, vertical=S1),
            tooltip=guess.evidence,
        )
        for guess in found.detection.roles
    ]
    return ft.Column([label(what), muted(form, size=14), row(*roles)], spacing=S2, tight=True)


def _tone(role: str) -> str:
    return "tuned" if role in ("output", "label", "messages", "chosen") else "plain" if role == "ignored" else "info"


def finding_notice(finding: Finding) -> ft.Control:
    """A finding as a band: what, why, what to do."""
    return notice(LEVELS[finding.level], finding.what, f"{finding.why} {finding.fix}")


def bad_rows(shown: tuple[BadRow, ...], count: int) -> ft.Control:
    """Lines that could not be used, of `count` in all: where, what is wrong, how to mend it."""
    lines: list[ft.Control] = [
        ft.Row(
            [
                ft.Container(code(f"line {each.line}", size=12), width=84),
                ft.Column([body(each.problem), muted(each.remedy)], spacing=0, tight=True, expand=True),
            ],
            vertical_alignment=ft.CrossAxisAlignment.START,
        )
        for each in shown
    ]
    rest = count - len(lines)
    if rest > 0:
        lines.append(muted(f"and {plural(rest, 'more line')}"))
    head = f"{plural(count, 'line')} could not be used; the other rows are fine"
    return section(head, card(ft.Column(lines, spacing=S2, tight=True)))


def _samples(rows: tuple[Row, ...]) -> ft.Control:
    return ft.Column([_pair(each) for each in rows], spacing=S3, tight=True)


def _pair(row_: Row) -> ft.Control:
    return ft.Column(
        [
            *(
                [body(row_.prompt, color=Ink.MUTED, max_lines=3, overflow=ft.TextOverflow.ELLIPSIS)]
                if row_.prompt
                else []
            ),
            ft.Container(
                body(row_.answer, max_lines=4, overflow=ft.TextOverflow.ELLIPSIS),
                border=ft.Border.only(left=ft.BorderSide(3, Ink.PURPLE)),
                padding=ft.Padding.only(left=S2),
            ),
        ],
        spacing=S1,
        tight=True,
    )


@component
def MapColumns(draft: WizardDraft) -> Any:
    """The person says which column is what, because the file does not say it clearly."""
    engine, session = use_engine(), use_session()
    found = draft.inspection
    assert found is not None
    suggested = found.detection.mapping or Mapping(schema="instruction")
    schemas = [(each, SCHEMAS[each]) for each in MAPPABLE]
    first: str = suggested.schema if suggested.schema in MAPPABLE else "instruction"
    schema, set_schema = ft.use_state(first)
    chosen, set_chosen = ft.use_state(lambda: {role: getattr(suggested, role) for role, _ in NEEDED[schema]})
    problem, set_problem = ft.use_state(lambda: None)
    width = 200 if use_surroundings().columns > 1 else 300

    async def use() -> None:
        fields = {role: chosen.get(role, "") for role, _ in NEEDED[schema]}
        mapping = msgspec.convert({"schema": schema, **fields}, Mapping)
        set_problem(lambda _: None)
        try:
            inspection = await engine.library.inspect(given_path(draft.path), mapping)
        except Exception as error:  # noqa: BLE001 - shown as a card
            card_ = unexpected(error)
            set_problem(lambda _: card_)
        else:
            session.edit(inspection=inspection, mapping=mapping)

    columns = [("", "not used"), *[(each, each) for each in found.columns]]
    fields = [
        Choice(
            chosen.get(role, ""),
            columns,
            lambda column, role=role: set_chosen(lambda now: {**now, role: column}),
            label=words,
            width=width,
        )
        for role, words in NEEDED[schema]
    ]
    missing = any(not chosen.get(role) for role, _ in NEEDED[schema] if role != "input")
    return notice(
        "warn",
        "Which column is what?",
        "The file does not say it clearly enough to decide without you.",
        ft.Column(
            [
                Choice(schema, schemas, set_schema, label="Each row is", width=width + 60),
                ft.Row(fields, spacing=S3, run_spacing=S3, wrap=True),
                row(Busy("Use these columns", "Reading", use, disabled=missing)),
                *([ErrorCard(problem)] if problem is not None else []),
            ],
            spacing=S4,
            tight=True,
        ),
    )
