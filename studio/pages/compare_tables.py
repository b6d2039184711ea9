"""The tables of a comparison: measures with the best marked, what each took, and how their recipes differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flet as ft

from engine.plan.costs import money
from engine.results.comparison import Comparison, Pairing
from engine.results.shared_rows import MeasureRow
from engine.results.subjects import REFERENCE, Subject, costs_rest_on
from engine.results.verdict import difference
from studio.kit import body, figures, muted, named, short, termed
from studio.kit.words import duration
from studio.pages.evaluation_parts import interval, measured, named_measure
from studio.theme import BODY, S1, S2, SANS, Ink

NAME, CELL = 190, 180


def _widths(count: int) -> tuple[int, ...]:
    return (NAME, *(CELL for _ in range(count)))


def _titles(subjects: Sequence[Subject]) -> list[str]:
    return [named(each.title) for each in subjects]


def measures(found: Comparison) -> ft.Control:
    """A line for each measure, the base beside all of them."""
    heads = ["", *_titles(found.subjects), "base"]
    return figures(heads, [_measure(each) for each in found.measures], _widths(len(found.subjects) + 1))


def _measure(each: MeasureRow) -> list[str | ft.Control]:
    unit = each.measure.unit
    cells: list[str | ft.Control] = [named_measure(each.measure)]
    for place, mean in enumerate(each.means):
        if mean is None:
            cells.append(muted("not measured", size=14))
        else:
            cells.append(_marked(interval(mean, unit), place in each.best))
    cells.append(body(measured(each.base.value, unit) if each.base else "", color=Ink.MUTED))
    return cells


def pairings(found: Comparison) -> ft.Control:
    """What is shown between each two, the main measure first."""
    titles = _titles(found.subjects)
    heads = ("measure", "between", "difference", "shown to be ahead")
    return figures(heads, [_pairing(each, titles) for each in found.pairings], (140, 2 * NAME, 360, NAME))


def _pairing(each: Pairing, titles: Sequence[str]) -> list[str | ft.Control]:
    shown = muted("no difference shown", size=14) if each.winner is None else body(titles[each.winner])
    between = f"{titles[each.second]} against {titles[each.first]}"
    return [named_measure(each.measure), between, difference(each.measure, each.paired), shown]


def _marked(words: str, best: bool) -> ft.Control:
    if not best:
        return body(words)
    star = ft.Icon(ft.Icons.STAR, size=14, color=Ink.AMBER, semantics_label="best")
    return ft.Row([star, ft.Text(words, size=14, color=Ink.TEXT, font_family=f"{SANS} Semibold")], spacing=S1)


def taken(subjects: Sequence[Subject]) -> ft.Control:
    """Time and electricity, also for an epoch and a point of the score; the least of each is marked."""
    currency = next((each.currency for each in subjects if each.currency), "")
    rows = [
        _line("Time", [each.seconds for each in subjects], duration),
        _line("The same at 1 TFLOP/s", [each.normalised_seconds for each in subjects], duration),
        _line("Time for an epoch", [each.seconds_per_epoch for each in subjects], duration),
        _line(f"Electricity, {currency}".removesuffix(", "), [each.cost for each in subjects], money),
        _line(f"The same at {REFERENCE}", [each.normalised_cost for each in subjects], money),
        _line("The same for an epoch", [each.cost_per_epoch for each in subjects], money),
        _line("The same for a point", [each.cost_per_point for each in subjects], money),
        _line("Held-out loss", [each.validation_loss for each in subjects], short),
        _line("Score of 100", [each.score for each in subjects], lambda value: f"{value:.0f}", most=True),
    ]
    table = figures(["", *_titles(subjects)], rows, _widths(len(subjects)))
    return ft.Column([table, *(muted(words) for words in costs_rest_on(subjects))], spacing=S2, tight=True)


def _line(
    name: str, values: Sequence[float | None], words: Callable[[float], str], *, most: bool = False
) -> list[str | ft.Control]:
    known = [value for value in values if value is not None]
    best = (max(known) if most else min(known)) if len(set(known)) > 1 else None
    cells: list[str | ft.Control] = [termed(name, size=BODY, color=Ink.TEXT)]
    for value in values:
        cells.append(muted("not known", size=14) if value is None else _marked(words(value), value == best))
    return cells


def recipes(found: Comparison) -> ft.Control:
    """The settings in which they differ."""
    rows: list[list[str | ft.Control]] = [
        [each.name.replace("_", " "), *("" if value is None else str(value) for value in each.values)]
        for each in found.settings
    ]
    return figures(["", *_titles(found.subjects)], rows, _widths(len(found.subjects)))
