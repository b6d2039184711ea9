"""The person says which column is what: of a file that does not say it clearly, or of a dataset, to read it anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import flet as ft
import msgspec

from engine.core.errors import unexpected
from engine.data.nouns import Dataset, Mapping, Schema
from studio.hooks import go, use_engine, use_loaded, use_surroundings
from studio.kit import (
    Busy,
    Choice,
    ErrorCard,
    TextField,
    badge,
    card,
    chip,
    code,
    component,
    label,
    loading,
    muted,
    quiet,
    row,
    section,
    toast,
)
from studio.theme import S1, S2, S3, S4

SCHEMAS: dict[str, str] = {
    "chat": "conversations",
    "instruction": "questions with answers",
    "classification": "texts with labels",
    "text": "plain texts",
    "preference": "pairs of a better and a worse answer",
    "kto": "answers rated good or bad",
    "multiple_choice": "questions with choices",
}
MAPPABLE: tuple[Schema, ...] = (
    "instruction",
    "classification",
    "text",
    "preference",
    "kto",
    "multiple_choice",
    "chat",
)
SYSTEM = ("system", "System message (may stay empty)")
EXTRA = ("input", "Extra input (may stay empty)")
NEEDED: dict[str, tuple[tuple[str, str], ...]] = {
    "instruction": (("instruction", "Question"), ("output", "Answer"), EXTRA, SYSTEM),
    "classification": (("text", "Text"), ("label", "Label")),
    "text": (("text", "Text"),),
    "preference": (("instruction", "Question"), ("chosen", "Better answer"), ("rejected", "Worse answer"), EXTRA),
    "kto": (("instruction", "Question"), ("output", "Answer"), ("label", "Good or bad"), EXTRA),
    "multiple_choice": (("instruction", "Question"), ("output", "Right answer"), EXTRA),
    "chat": (("messages", "Conversation"), SYSTEM),
}
OPTIONAL = ("input", "system")
TEMPLATED = ("instruction", "text")
"""Roles that a template of several columns may play."""
ROLE_WORDS = {
    "system": "system message",
    "instruction": "question",
    "input": "extra input",
    "output": "answer",
    "messages": "conversation",
    "text": "text",
    "label": "label",
    "chosen": "better answer",
    "rejected": "worse answer",
    "group": "kept together",
    "tools": "functions",
}
LEARNED = ("output", "label", "messages", "chosen")


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen so far: the column of each role, the columns with choices, and a template."""

    schema: str
    roles: dict[str, str] = {}
    choices: tuple[str, ...] = ()
    template: str = ""

    @property
    def missing(self) -> bool:
        """Something is still to be chosen."""
        needed = [role for role, _ in NEEDED[self.schema] if role not in OPTIONAL]
        open_ = [role for role in needed if not self._source(role)]
        return bool(open_) or (self.schema == "multiple_choice" and not self.choices)

    def _source(self, role: str) -> str:
        return self.template.strip() if role in TEMPLATED and self.template.strip() else self.roles.get(role, "")

    def mapping(self, like: Mapping | None = None) -> Mapping:
        """The mapping chosen; what no field asks for is as in `like`."""
        fields = {role: self._source(role) for role, _ in NEEDED[self.schema]}
        choices = self.choices if self.schema == "multiple_choice" else ()
        made = msgspec.convert({"schema": self.schema, **fields, "choices": choices}, Mapping)
        if like is None:
            return made
        return msgspec.structs.replace(made, group=like.group, system_text=like.system_text)


def chosen_of(mapping: Mapping | None) -> Chosen:
    """The choices that a mapping stands for."""
    mapping = mapping or Mapping(schema="instruction")
    roles = dict(mapping.named)
    template = next((roles.pop(role) for role in TEMPLATED if "{" in roles.get(role, "")), "")
    return Chosen(schema=mapping.schema, roles=roles, choices=mapping.choices, template=template)


@component
def MappingForm(
    columns: tuple[str, ...], suggested: Mapping | None, use: Callable[[Mapping], Awaitable[None]], words: str
) -> Any:
    """What each row is, and which column plays which role; `use` is given the mapping."""
    chosen, set_chosen = ft.use_state(lambda: chosen_of(suggested))
    problem, set_problem = ft.use_state(lambda: None)
    width = 200 if use_surroundings().columns > 1 else 300

    def change(**changes: Any) -> None:
        set_chosen(lambda now: msgspec.structs.replace(now, **changes))

    def play(role: str, column: str) -> None:
        set_chosen(lambda now: msgspec.structs.replace(now, roles={**now.roles, role: column}))

    def toggle(column: str) -> None:
        others = tuple(each for each in chosen.choices if each != column)
        change(choices=others if column in chosen.choices else (*others, column))

    async def submit() -> None:
        set_problem(lambda _: None)
        try:
            await use(chosen.mapping(suggested))
        except Exception as error:  # noqa: BLE001 - shown as a card
            card_ = unexpected(error)
            set_problem(lambda _: card_)

    options = [("", "not used"), *((each, each) for each in columns)]
    fields: list[ft.Control] = [
        Choice(
            chosen.roles.get(role, ""), options, lambda column, role=role: play(role, column), label=name, width=width
        )
        for role, name in NEEDED[chosen.schema]
    ]
    blocks: list[ft.Control] = [
        Choice(
            chosen.schema,
            [(each, SCHEMAS[each]) for each in MAPPABLE],
            lambda schema: change(schema=schema),
            label="Each row is",
            width=320,
        ),
        ft.Row(fields, spacing=S3, run_spacing=S3, wrap=True),
    ]
    if chosen.schema == "multiple_choice":
        chips = [chip(each, lambda each=each: toggle(each), selected=each in chosen.choices) for each in columns]
        hint = muted("One column that lists them, or one column for each, in their order.")
        blocks.append(ft.Column([label("Which columns hold the choices?"), hint, row(*chips)], spacing=S2, tight=True))
    if any(role in TEMPLATED for role, _ in NEEDED[chosen.schema]):
        hint = "Names of columns in braces, such as {title}: {question}, in place of one column for the first role."
        field = TextField(chosen.template, lambda text: change(template=text), label="Or put columns together")
        blocks.append(ft.Column([field, muted(hint)], spacing=S1, tight=True))
    blocks.append(row(Busy(words, "Reading", submit, disabled=chosen.missing)))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return ft.Column(blocks, spacing=S4, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def roles_of(mapping: Mapping) -> list[tuple[str, str]]:
    """Which column plays which role, in the order that people read a row: (role, column)."""
    return [*mapping.named, *(("choice", each) for each in mapping.choices)]


@component
def Columns(dataset: Dataset) -> Any:
    """Which column is what, and the way to say otherwise."""
    changing, set_changing = ft.use_state(False)
    lines: list[ft.Control] = [
        ft.Row(
            [
                ft.Container(
                    ft.Row([badge(ROLE_WORDS.get(role, role), "tuned" if role in LEARNED else "info")]), width=130
                ),
                code(column, expand=True),
            ],
            spacing=S3,
        )
        for role, column in roles_of(dataset.mapping)
    ]
    for words, text in (("system message", dataset.mapping.system_text), ("task", dataset.mapping.task_text)):
        if text:
            lines.append(row(badge(words, "plain"), muted(text, size=14)))
    form = f"{dataset.source_format.upper()}{f', {dataset.encoding}' if dataset.encoding else ''}"
    if not lines:
        lines.append(muted("Its rows are in the usual form; no column had to be named.", size=14))
    legend = muted(f"{form}. Purple columns are learned, the others are only read.")
    blocks: list[ft.Control] = [card(ft.Column([*lines, legend], spacing=S2, tight=True))]
    if changing:
        blocks.append(card(Remap(dataset)))
    words = "Leave them as they are" if changing else "Map the columns anew"
    change = quiet(words, lambda: set_changing(lambda now: not now))
    return section("Which column is what", *blocks, action=change)


@component
def Remap(dataset: Dataset) -> Any:
    """Another mapping for a dataset; it becomes a new version."""
    engine = use_engine()
    loaded = use_loaded(lambda: engine.library.columns(dataset.id), [dataset.id])

    async def use(mapping: Mapping) -> None:
        made = await engine.library.remap(dataset.id, mapping)
        go(f"/data/{made.id}")
        toast("This is a new version with its columns mapped anew. The one before is kept.")

    if loaded.error is not None:
        return ErrorCard(unexpected(loaded.error), again=loaded.again)
    if loaded.value is None:
        return loading("Reading the columns of its source")
    return MappingForm(loaded.value.names, dataset.mapping, use, "Make a new version")
