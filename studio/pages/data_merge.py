"""Datasets put together as a new one, each with a weight: half of its rows, all of them, or each twice."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.core.errors import unexpected
from engine.data.merge import Part
from engine.data.nouns import Dataset
from studio.hooks import go, use_engine
from studio.kit import (
    Busy,
    ErrorCard,
    NumberField,
    TextField,
    body,
    card,
    chip,
    component,
    label,
    muted,
    plural,
    quiet,
    row,
    section,
    toast,
)
from studio.pages.data_mapping import SCHEMAS
from studio.theme import S2, S3

LEAST, MOST = 0.01, 100.0


def together(datasets: tuple[Dataset, ...], chosen: dict[str, float]) -> list[Dataset]:
    """The datasets that fit those chosen already: of the same kind, or any where none is chosen yet."""
    kinds = {each.schema for each in datasets if each.id in chosen}
    return [each for each in datasets if not kinds or each.schema in kinds]


def rows_of(datasets: tuple[Dataset, ...], chosen: dict[str, float]) -> int:
    """About how many rows the result has."""
    return round(sum(each.rows * chosen[each.id] for each in datasets if each.id in chosen))


@component
def Merge(datasets: tuple[Dataset, ...], close: Any) -> Any:
    """Choose datasets of one kind and say how often each row is taken."""
    engine = use_engine()
    chosen, set_chosen = ft.use_state(dict)
    name, set_name = ft.use_state("")
    problem, set_problem = ft.use_state(lambda: None)

    def toggle(dataset: Dataset) -> None:
        def changed(now: dict[str, float]) -> dict[str, float]:
            others = {key: value for key, value in now.items() if key != dataset.id}
            return others if dataset.id in now else {**others, dataset.id: 1.0}

        set_chosen(changed)

    def weigh(dataset: Dataset, weight: float) -> None:
        set_chosen(lambda now: {**now, dataset.id: weight} if dataset.id in now else now)

    async def merge() -> None:
        set_problem(lambda _: None)
        try:
            made = await engine.library.merge([Part(key, weight) for key, weight in chosen.items()], name.strip())
        except Exception as error:  # noqa: BLE001 - shown as a card
            card_ = unexpected(error)
            set_problem(lambda _: card_)
        else:
            go(f"/data/{made.id}")
            toast("These datasets are one now. The ones it was made of are kept.")

    chips = [
        chip(f"{each.name}, {plural(each.rows, 'row')}", lambda each=each: toggle(each), selected=each.id in chosen)
        for each in together(datasets, chosen)
    ]
    parts = [each for key in chosen for each in datasets if each.id == key]
    weights: list[ft.Control] = [
        ft.Row(
            [
                ft.Container(body(each.name, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS), width=200),
                NumberField(
                    chosen[each.id],
                    lambda weight, each=each: weigh(each, weight),
                    label=f"Weight of {each.name}",
                    minimum=LEAST,
                    maximum=MOST,
                    unit=f"about {plural(round(each.rows * chosen[each.id]), 'row')}",
                ),
            ],
            spacing=S3,
            wrap=True,
            key=each.id,
        )
        for each in parts
    ]
    kind = f" of {SCHEMAS[parts[0].schema]}" if parts else ""
    blocks: list[ft.Control] = [
        label("Which ones?"),
        muted("All of one kind. A weight of 0.5 takes half of the rows, 2 takes each twice."),
        row(*chips),
        *weights,
    ]
    if parts:
        blocks.append(
            TextField(name, set_name, label="Name of the new dataset", hint=" and ".join(e.name for e in parts))
        )
    words = f"Put {plural(rows_of(datasets, chosen), 'row')}{kind} together" if parts else "Put them together"
    blocks.append(
        row(
            Busy(words, "Putting them together", merge, icon=ft.Icons.MERGE, disabled=not parts),
            quiet("Cancel", close),
        )
    )
    if problem is not None:
        blocks.append(ErrorCard(problem))
    inside = ft.Column(blocks, spacing=S3, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
    return section("Put datasets together", card(ft.Column([inside], spacing=S2)))
