"""`peft-studio sweep ...`: many runs over the values of some settings, started as one and compared in one table."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from engine import orders
from engine.core.home import Home
from engine.plan.sweep import over as over_from
from engine.plan.sweep import value_words
from engine.runs.sweeps import Sweep, SweepRow, Sweeps, SweepView
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.ordering import (
    DatasetArgument,
    MethodOption,
    ModelOption,
    ProfileOption,
    SetOption,
    dataset_for,
    order_of,
)
from studio.terminal.plan_options import ObjectiveOption
from studio.terminal.show import console, print_json, say, seconds_words, state_words, table

sweep = typer.Typer(help="Many runs over the values of some settings, compared in one table.", no_args_is_help=True)

OverOption = Annotated[
    list[str],
    typer.Option(
        help="A setting and what to try: --over rank=8,16, or with --random a range: "
        "--over learning_rate=1e-5..1e-3. Can be repeated; method and profile too."
    ),
]
RandomOption = Annotated[
    int, typer.Option("--random", min=0, help="Draw so many combinations instead of taking every one.")
]
SweepArgument = Annotated[str, typer.Argument(help="A sweep's id, the start of it, its name, or `last`.")]


@sweep.command("start")
@command
def sweep_start(
    dataset: DatasetArgument,
    over: OverOption,
    random: RandomOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Fixes what --random draws.")] = 0,
    model: ModelOption = "starter",
    profile: ProfileOption = "",
    method: MethodOption = "",
    objective: ObjectiveOption = "",
    name: Annotated[str, typer.Option(help="The sweep's name.")] = "",
    set: SetOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Queue a run for every combination of the values given; all can be planned, or none is queued."""
    place = Home.open(home)
    wanted = tuple(over_from(each) for each in over)
    order = order_of(dataset_for(place, dataset), model, profile, method, objective, "", set)
    wish = orders.StartSweep(order=order, over=wanted, count=random, seed=seed, name=name)
    made = ask(place, wish, Sweep)
    if json:
        return print_json(made)
    return say(f"Queued {len(made.members)} runs. Compare them with: peft-studio sweep show {made.id}")


@sweep.command("show")
@command
def sweep_show(sweep: SweepArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Compare the runs of a sweep; the best one is marked."""
    place = Home.open(home)
    view = Sweeps(place.path, place.runs).view(sweep)
    print_json(view) if json else print_sweep(view)


@sweep.command("stop")
@command
def sweep_stop(sweep: SweepArgument = "last", home: HomeOption = None, json: JsonOption = False) -> None:
    """Take a sweep's waiting runs out of the queue and end those at work; what they have learned is kept."""
    place = Home.open(home)
    found = Sweeps(place.path, place.runs).find(sweep)
    stopped = ask(place, orders.StopSweep(sweep=found.id), orders.Stopped)
    print_json(stopped) if json else say(f"Stopped {len(stopped.runs)} runs of {found.name}.")


@sweep.command("list")
@command
def sweep_list(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the sweeps, newest first."""
    place = Home.open(home)
    found = Sweeps(place.path, place.runs).all()
    if json:
        return print_json(found)
    rows = [[each.name, each.dataset, ", ".join(each.settings), f"{len(each.members)}", each.id] for each in found]
    return table(("name", "dataset", "over", ">runs", "id"), rows)


def print_sweep(view: SweepView) -> None:
    """The table, best first named under it."""
    settings = view.sweep.settings
    console.print(f"[bold]{escape(view.sweep.name)}[/] on {escape(view.sweep.dataset)}")
    heads = (">", *settings, "state", ">loss", ">held out", ">best", ">quality", ">time")
    table(heads, [_row(number, row, settings, row.run == view.best) for number, row in enumerate(view.rows, start=1)])
    best = next((row for row in view.rows if row.run == view.best), None)
    if best:
        loss = best.best_validation if best.best_validation is not None else best.loss
        words = ", ".join(f"{name}={value_words(value)}" for name, value in best.values.items())
        so_far = f" so far ({view.unfinished} not finished)" if view.unfinished else ""
        console.print(
            f"Best{so_far}: [bold]{escape(words)}[/] with {loss:.4f}. Look at it: peft-studio show {best.run}"
        )


def _row(number: int, row: SweepRow, settings: tuple[str, ...], best: bool) -> list[str]:
    values = [value_words(row.values[name]) if name in row.values else "" for name in settings]
    numbers = [_loss(each) for each in (row.loss, row.validation_loss, row.best_validation)]
    quality = f"{row.quality:.0f}" if row.quality is not None else ""
    state = state_words(row.state) if row.state else "not queued"
    marked = [_marked(each, best) for each in (f"{'★ ' if best else ''}{number}", *values)]
    measured = [_marked(each, best) for each in (*numbers, quality)]
    return [*marked, state, *measured, seconds_words(row.seconds)]


def _marked(cell: str, best: bool) -> str:
    return f"[bold green]{escape(cell)}[/]" if best and cell else escape(cell)


def _loss(value: float | None) -> str:
    return f"{value:.4f}" if value is not None else ""
