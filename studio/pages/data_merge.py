"""Datasets put together as a new one, each with a weight: half of its rows, all of them, or each twice."""

from __future__ import annotations

from collections.abc import Callable
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


def toggled(chosen: dict[str, float], dataset_id: str) -> dict[str, float]:
    """The choice with one dataset more, each row taken once, or without it where it was chosen."""
    others = {key: value for key, value in chosen.items() if key != dataset_id}
    return others if dataset_id in chosen else {**others, dataset_id: 1.0}


def weighed(chosen: dict[str, float], dataset_id: str, weight: float) -> dict[str, float]:
    """The choice with another weight for a dataset that is in it."""
    return {**chosen, dataset_id: weight} if dataset_id in chosen else chosen


@component
def Merge(datasets: tuple[Dataset, ...], close: Any) -> Any:
    """Choose datasets of one kind and say how often each row is taken."""
    engine = use_engine()
    chosen, set_chosen = ft.use_state(dict)
    name, set_name = ft.use_state("")
    problem, set_problem = ft.use_state(lambda: None)

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

    parts = [each for key in chosen for each in datasets if each.id == key]
    weights = [
        _weight(each, chosen[each.id], lambda weight, key=each.id: set_chosen(lambda now: weighed(now, key, weight)))
        for each in parts
    ]
    hint = " and ".join(each.name for each in parts)
    verbs = row(
        Busy(_verb(parts, chosen), "Putting them together", merge, icon=ft.Icons.MERGE, disabled=not parts),
        quiet("Cancel", close),
    )
    blocks: list[ft.Control] = [
        label("Which ones?"),
        muted("All of one kind. A weight of 0.5 takes half of the rows, 2 takes each twice."),
        _offered(together(datasets, chosen), chosen, lambda key: set_chosen(lambda now: toggled(now, key))),
        *weights,
        *([TextField(name, set_name, label="Name of the new dataset", hint=hint)] if parts else []),
        verbs,
        *([ErrorCard(problem)] if problem is not None else []),
    ]
    inside = ft.Column(blocks, spacing=S3, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
    return section("Put datasets together", card(ft.Column([inside], spacing=S2)))


def _offered(datasets: list[Dataset], chosen: dict[str, float], toggle: Callable[[str], None]) -> ft.Control:
    return row(
        *(
            chip(
                f"{each.name}, {plural(each.rows, 'row')}", lambda key=each.id: toggle(key), selected=each.id in chosen
            )
            for each in datasets
        )
    )


def _weight(dataset: Dataset, weight: float, weigh: Callable[[float], None]) -> ft.Control:
    """A dataset's name and how often each of its rows is taken."""
    field = NumberField(
        weight,
        weigh,
        label=f"Weight of {dataset.name}",
        minimum=LEAST,
        maximum=MOST,
        unit=f"about {plural(round(dataset.rows * weight), 'row')}",
    )
    name = ft.Container(body(dataset.name, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS), width=200)
    return ft.Row([name, field], spacing=S3, wrap=True, key=dataset.id)


def _verb(parts: list[Dataset], chosen: dict[str, float]) -> str:
    """What the button does: with how many rows, and of which kind."""
    if not parts:
        return "Put them together"
    return f"Put {plural(rows_of(tuple(parts), chosen), 'row')} of {SCHEMAS[parts[0].schema]} together"
