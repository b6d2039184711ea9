"""How long a dataset's rows are in a model's tokens: a histogram, and its middle and end in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio.to_thread
import flet as ft
import msgspec

from engine.core.errors import unexpected
from engine.plan.models import BaseModel
from engine.spec.prepared import read_lengths
from studio.hooks import use_engine, use_loaded
from studio.kit import ErrorCard, body, card, component, loading, muted, plural
from studio.theme import S1, S3, Ink

BARS = 24
HEIGHT = 120


class Bin(msgspec.Struct, frozen=True):
    """Rows with `first` to `last` tokens."""

    first: int
    last: int
    rows: int


def histogram(lengths: Sequence[int], bars: int = BARS) -> list[Bin]:
    """Bins of equal width from the shortest row to the longest; every row is in exactly one."""
    if not lengths:
        return []
    low, high = min(lengths), max(lengths)
    width = -(-(high - low + 1) // bars)
    counts = [0] * (-(-(high - low + 1) // width))
    for length in lengths:
        counts[(length - low) // width] += 1
    return [Bin(low + width * place, low + width * (place + 1) - 1, rows) for place, rows in enumerate(counts)]


def in_words(lengths: Sequence[int]) -> str:
    """The middle, the end and the sum of it."""
    ordered = sorted(lengths)
    middle, most = ordered[len(ordered) // 2], ordered[int(0.95 * (len(ordered) - 1))]
    return (
        f"Half of the rows have at most {middle:,} tokens, 95 % at most {most:,}; "
        f"the longest has {ordered[-1]:,}. {sum(ordered):,} tokens in all."
    )


@component
def Lengths(dataset: str, model: BaseModel, length: int) -> Any:
    """The histogram of the training rows."""
    engine = use_engine()

    async def load() -> list[int]:
        facts = await engine.library.facts(dataset, model, length)
        return await anyio.to_thread.run_sync(read_lengths, engine.library.prepared(facts), "train")

    loaded = use_loaded(load, [dataset, model.path, length])
    if loaded.error is not None:
        return ErrorCard(unexpected(loaded.error), again=loaded.again)
    if loaded.value is None:
        return card(loading("Counting its rows in the model's own tokens"))
    if not loaded.value:
        return card(muted("No row has anything to learn from at this length.", size=14))
    said = in_words(loaded.value)
    return card(
        ft.Column(
            [
                body(said),
                ft.Semantics(content=bars(histogram(loaded.value), "tokens"), label=said, image=True, container=True),
            ],
            spacing=S3,
            tight=True,
            horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
        )
    )


def bars(bins: list[Bin], unit: str) -> ft.Control:
    """The bins as bars from the lowest to the highest, each saying what it holds."""
    tallest = max(1, *(each.rows for each in bins))
    drawn: list[ft.Control] = [
        ft.Container(
            height=max(2.0, HEIGHT * each.rows / tallest) if each.rows else 1,
            bgcolor=Ink.FILL if each.rows else Ink.TRACK,
            border_radius=ft.BorderRadius.only(top_left=2, top_right=2),
            tooltip=f"{each.first:,} to {each.last:,} {unit}: {plural(each.rows, 'row')}",
            expand=1,
        )
        for each in bins
    ]
    ends = ft.Row(
        [muted(f"{bins[0].first:,} {unit}"), muted(f"{bins[-1].last:,} {unit}")],
        alignment=ft.MainAxisAlignment.SPACE_BETWEEN,
    )
    picture = ft.Row(drawn, spacing=2, height=HEIGHT, vertical_alignment=ft.CrossAxisAlignment.END)
    return ft.Column([picture, ends], spacing=S1, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
