"""`peft-studio compare`: two to five versions or runs side by side in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import anyio
import typer
from rich.markup import escape

from engine.core import settings
from engine.core.home import Home
from engine.plan.costs import money, tariff_of
from engine.results.comparing import compare_named, version_or_run
from engine.results.comparison import Comparison, ExampleRow
from engine.results.shared_rows import MeasureRow, common
from engine.results.subjects import REFERENCE, costs_rest_on
from engine.results.verdict import chance
from engine.results.versions import Version, Versions
from studio.terminal.command import HomeOption, JsonOption, command
from studio.terminal.evaluating import evaluate_versions, value_words
from studio.terminal.show import console, print_json, say, seconds_words, table

EXAMPLES = 3
CLUSTERS = 4


@command
def compare(
    what: Annotated[list[str], typer.Argument(help="Two to five versions or runs.")],
    evaluate: Annotated[
        bool, typer.Option(help="First evaluate versions that were not asked the same rows as the others.")
    ] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Put versions or runs side by side: measures with intervals, what is shown, cost, recipes, and examples."""
    place = Home.open(home)
    if evaluate:
        see_to_evaluations(place, what)
    tariff = tariff_of(settings.load(place.settings))
    found = anyio.run(compare_named, Versions(place.versions), place.runs, tuple(what), tariff)
    print_json(found) if json else print_comparison(found)


def see_to_evaluations(home: Home, words: Sequence[str]) -> None:
    """Where all are versions of one base and dataset, and not all were asked the same rows, ask them now, together."""
    versions = Versions(home.versions)
    chosen = [version_or_run(versions, home.runs, each) for each in words]
    named = [each for each in chosen if isinstance(each, Version)]
    alike = len({(each.model_path, each.dataset_id) for each in named}) == 1
    if len(named) < len(chosen) or not alike or all(common([versions.evaluations(each) for each in named])):
        return
    say("They were not all asked the same rows yet; asking them now.")
    evaluate_versions(home, named)


def print_comparison(found: Comparison) -> None:
    """The verdict first, then the evidence."""
    console.print(f"[bold]{escape(found.verdict)}[/]")
    if found.note:
        console.print(escape(found.note))
    console.print()
    titles = [escape(each.title) for each in found.subjects]
    if found.measures:
        table(("measure", ">base", *(f">{title}" for title in titles)), [_measure(row) for row in found.measures])
        console.print("[dim]★ best; in brackets the 95 % interval[/]\n")
        _print_pairings(found, titles)
    table(("", *(f">{title}" for title in titles)), _costs(found))
    for words in costs_rest_on(found.subjects):
        console.print(f"[dim]{escape(words)}[/]")
    if found.settings:
        console.print("\nRecipes differ in:")
        settings = [[row.name, *("" if each is None else str(each) for each in row.values)] for row in found.settings]
        table(("setting", *(f">{title}" for title in titles)), settings)
    _print_examples(found, titles)


def _measure(row: MeasureRow) -> list[str]:
    unit = row.measure.unit
    cells = []
    for place, mean in enumerate(row.means):
        if mean is None:
            cells.append("not measured")
            continue
        bounds = f" ({value_words(mean.low, unit)} to {value_words(mean.high, unit)})" if mean.has_interval else ""
        cells.append(f"{'★ ' if place in row.best else ''}{value_words(mean.value, unit)}{bounds}")
    return [row.measure.title, value_words(row.base.value, unit) if row.base else "", *cells]


def _print_pairings(found: Comparison, titles: Sequence[str]) -> None:
    """What is shown between each two of them, the main measure first."""
    rows = [
        [
            each.measure.title,
            f"{titles[each.second]} - {titles[each.first]}",
            value_words(each.paired.difference, each.measure.unit, sign=True),
            f"{value_words(each.paired.low, each.measure.unit)} to {value_words(each.paired.high, each.measure.unit)}"
            if each.paired.has_interval
            else "",
            chance(each.paired.corrected).removeprefix("p ").removeprefix("= "),
            "none shown" if each.winner is None else titles[each.winner],
        ]
        for each in found.pairings
    ]
    table(("measure", "between", ">difference", ">95 % interval", ">p (Holm)", "ahead"), rows)
    console.print(f"[dim]{len(rows)} differences were tested together, and each p is corrected for that[/]\n")


def _costs(found: Comparison) -> list[list[str]]:
    def line(name: str, values: Sequence[float | None], words: Callable[[float], str]) -> list[str]:
        return [name, *("not known" if value is None else words(value) for value in values)]

    every = found.subjects
    currency = next((each.currency for each in every if each.currency), "")
    return [
        line("time", [each.seconds for each in every], seconds_words),
        line("the same at 1 TFLOP/s", [each.normalised_seconds for each in every], seconds_words),
        line("time for an epoch", [each.seconds_per_epoch for each in every], seconds_words),
        line(f"electricity, {currency}".removesuffix(", "), [each.cost for each in every], money),
        line(f"the same at {REFERENCE}", [each.normalised_cost for each in every], money),
        line("the same for an epoch", [each.cost_per_epoch for each in every], money),
        line("the same for a point of the score", [each.cost_per_point for each in every], money),
        line("score", [each.score for each in every], "{:.0f}".format),
        line("held-out loss", [each.validation_loss for each in every], "{:.3f}".format),
    ]


def _print_examples(found: Comparison, titles: Sequence[str]) -> None:
    if not found.rows:
        return
    console.print()
    counts = [
        [title, str(wins), str(losses)] for title, wins, losses in zip(titles, found.wins, found.losses, strict=True)
    ]
    table(("examples", ">best alone", ">worst alone"), counts)
    console.print(f"[dim]{found.ties} of {found.rows} are answered alike by all[/]\n")
    errors = [each for each in found.clusters if sum(each.errors)][:CLUSTERS]
    if errors:
        rows = [
            [escape(", ".join(each.words) or "all"), str(each.examples), *(str(errors) for errors in each.errors)]
            for each in errors
        ]
        table(("errors about", ">examples", *(f">{title}" for title in titles)), rows)
        console.print()
    for example in [each for each in found.examples if each.apart > 0][:EXAMPLES]:
        _print_example(example, titles)


def _print_example(example: ExampleRow, titles: Sequence[str]) -> None:
    width = max(len("question"), *(len(title) for title in titles))
    console.print(f"[dim]{'question':<{width}}[/] {escape(' '.join(example.prompt.split()))}")
    for place, (title, answer) in enumerate(zip(titles, example.answers, strict=True)):
        mark = " ★" if place in example.winners else ""
        console.print(f"[magenta]{title:<{width}}[/] {escape(answer or '(nothing)')}{mark}")
    console.print(f"[dim]{'expected':<{width}}[/] {escape(example.reference)}\n")
