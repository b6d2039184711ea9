"""All runs: filtered by state and by words, sorted, and several told something at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.runs.views import RunView
from engine.spec.records import RunState
from studio.frame import frame
from studio.hooks import go, use_engine, use_session, use_surroundings, use_topic
from studio.kit import (
    Choice,
    TextField,
    ago,
    chip,
    component,
    danger,
    dot,
    empty,
    label,
    link,
    muted,
    named,
    percent,
    plural,
    primary,
    quiet,
    row,
    secondary,
    short,
    title,
    toast,
)
from studio.kit.pressed import pressable
from studio.kit.table import Head, Rows, Tick, heads
from studio.pages.parts import run_line
from studio.theme import S2, S3
from studio.undo import delete_later

if TYPE_CHECKING:
    from engine.engine import Engine
    from studio.session import Session

PAUSABLE = (RunState.RUNNING, RunState.INITIALIZING)
AT_WORK = (*PAUSABLE, RunState.CREATED)
FILTERS: dict[str, tuple[RunState, ...]] = {
    "All": tuple(RunState),
    "At work": AT_WORK,
    "Paused": (RunState.PAUSED,),
    "Completed": (RunState.COMPLETED,),
    "Failed": (RunState.FAILED, RunState.LOST),
    "Stopped": (RunState.STOPPED,),
}
ROW, LEAST_HEIGHT, AROUND = 60, 300, 330
"""Height of a row; of the list at least; and of what stands around the list on a page."""
COMPARED = range(2, 6)
"""How many runs can be compared at once."""


class Look(msgspec.Struct, frozen=True):
    """What of the list is shown, and in which order."""

    filter: str = "All"
    words: str = ""
    model: str = ""
    days: str = ""
    sort: str = "started"
    descending: bool = True


SORTS: dict[str, tuple[str, Callable[[RunView], Any]]] = {
    "started": ("Started", lambda run: run.created),
    "name": ("Name", lambda run: run.name.casefold()),
    "state": ("State", lambda run: run.state.value),
    "loss": ("Loss", lambda run: loss_of(run)),
    "progress": ("Progress", lambda run: run.progress),
}
ROOMY = 720
"""Width of a page that has room for every column."""
COLUMNS = (
    Head("", "", 40),
    Head("Name", "name"),
    Head("State", "state", 120),
    Head("Loss", "loss", 96),
    Head("Progress", "progress", 80),
    Head("Started", "started", 120),
)


DAYS = (("", "Any time"), ("1", "Last 24 hours"), ("7", "Last 7 days"), ("30", "Last 30 days"))
"""Choices of when a run was started."""


def fitting(runs: Sequence[RunView], look: Look, now: float) -> list[RunView]:
    """The runs that this look is for, in the order of the list."""
    found = chosen(runs, FILTERS[look.filter], look.words)
    if look.days:
        since = now - float(look.days) * 86_400
        found = [run for run in found if run.created >= since]
    return [run for run in found if run.model == look.model] if look.model else found


def loss_of(run: RunView) -> float | None:
    """The number a run is judged by: its best held-out loss, else its newest loss."""
    return run.best_validation if run.best_validation is not None else run.loss


def chosen(runs: Sequence[RunView], states: tuple[RunState, ...], words: str) -> list[RunView]:
    """The runs in these states that have every word in their name, model, data or method."""
    wanted = words.casefold().split()
    inside = runs if len(states) == len(RunState) else [run for run in runs if run.state in states]
    if not wanted:
        return list(inside)
    return [
        run
        for run in inside
        if all(word in f"{run.name} {run.model} {run.dataset} {run.method} {run.id}".casefold() for word in wanted)
    ]


def in_order(runs: Sequence[RunView], sort: str, descending: bool) -> list[RunView]:
    """Sorted; runs that lack the number come last either way."""
    values = list(map(SORTS[sort][1], runs))
    having = [place for place, value in enumerate(values) if value is not None]
    having.sort(key=values.__getitem__, reverse=descending)
    lacking = [run for run, value in zip(runs, values, strict=True) if value is None]
    return [*(runs[place] for place in having), *lacking]


@component
def RunList() -> Any:
    """The page."""
    engine, session = use_engine(), use_session()
    surroundings = use_surroundings()
    leaving = use_topic(session.leaving, every=0.0)
    every = use_topic(engine.runs.list, every=0.5)
    look, set_look = ft.use_state(Look())
    ticked, set_ticked = ft.use_state(frozenset[str]())
    runs = ft.use_memo(
        lambda: [run for run in every if run.kind == "train" and run.id not in leaving], [every, leaving]
    )
    sorted_ = ft.use_memo(lambda: in_order(runs, look.sort, look.descending), [runs, look.sort, look.descending])
    found = ft.use_memo(lambda: fitting(sorted_, look, time.time()), [sorted_, look])
    facets = ft.use_memo(lambda: facets_of(runs), [runs])

    def change(**changes: Any) -> None:
        set_look(lambda now: msgspec.structs.replace(now, **changes))

    def sort(key: str) -> None:
        change(sort=key, descending=not look.descending if key == look.sort else key == "started")

    def tick(run_id: str, on: bool) -> None:
        set_ticked(lambda now: now | {run_id} if on else now - {run_id})

    narrow = surroundings.columns == 1
    columns = COLUMNS if surroundings.content >= ROOMY else tuple(each for each in COLUMNS if each.key != "progress")
    figures = frozenset(each.key for each in columns[3:]) if not narrow else frozenset[str]()
    height = max(LEAST_HEIGHT, int(ft.context.page.height or 900) - AROUND)
    picked = [run for run in runs if run.id in ticked] if ticked else []
    content: list[ft.Control] = [
        _filters(facets, look, change, narrow),
        Bulk(
            picked,
            len(found),
            lambda: set_ticked(frozenset()),
            lambda: set_ticked(frozenset(run.id for run in found)),
        ),
    ]
    if not runs:
        content = [_none_yet()]
    elif not found:
        content.append(empty(ft.Icons.SEARCH_OFF, "No run fits.", "Try fewer words or another state."))
    else:
        content.append(_order(look, change) if narrow else heads(columns, look.sort, look.descending, sort))
        content.append(
            Rows(
                len(found),
                lambda place: _row(found[place], found[place].id in ticked, tick, figures),
                ROW,
                height,
                lambda place: (found[place].id, (found[place], found[place].id in ticked, figures)),
            )
        )
    return frame(
        surroundings,
        title("Runs"),
        ft.Column(content, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
    )


def _none_yet() -> ft.Control:
    return empty(
        ft.Icons.TIMELINE,
        "No runs yet.",
        "Every fine-tuning you start appears here and can be paused, resumed and compared.",
        primary("Fine-tune a model", lambda: go("/new")),
    )


def facets_of(runs: Sequence[RunView]) -> tuple[frozenset[RunState], frozenset[str]]:
    """The states and the models that there are among these runs."""
    return frozenset(run.state for run in runs), frozenset(run.model for run in runs if run.model)


def _filters(
    facets: tuple[frozenset[RunState], frozenset[str]], look: Look, change: Callable[..., None], narrow: bool
) -> ft.Control:
    there, known = facets
    chips = [
        chip(name, lambda name=name: change(filter=name), selected=name == look.filter)
        for name, states in FILTERS.items()
        if name in ("All", look.filter) or there.intersection(states)
    ]
    search = TextField(look.words, lambda words: change(words=words), hint="Search name, model, data")
    models = sorted(known | ({look.model} - {""}))
    choices: list[ft.Control] = [
        Choice(look.days, DAYS, lambda days: change(days=days), width=160, name="Started"),
    ]
    if len(models) > 1:
        options = [("", "Any model"), *((each, named(each)) for each in models)]
        choices.append(Choice(look.model, options, lambda model: change(model=model), width=160, name="Model"))
    if narrow:
        lines: list[ft.Control] = [row(*chips), search, row(*choices)]
        return ft.Column(lines, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
    return row(*chips, ft.Container(search, width=240), *choices)


def _order(look: Look, change: Callable[..., None]) -> ft.Control:
    options = [(key, f"Sort by {name.lower()}") for key, (name, _) in SORTS.items()]
    return Choice(
        look.sort, options, lambda key: change(sort=key, descending=key == "started"), width=220, name="Sort by"
    )


@component
def Bulk(picked: list[RunView], found: int, clear: Callable[[], None], every: Callable[[], None]) -> Any:
    """What can be done with the ticked runs; how many there are while none is ticked."""
    engine, session = use_engine(), use_session()
    if not picked:
        return row(muted(plural(found, "run")), *([quiet("Choose all", every)] if found > 1 else []))
    buttons: list[ft.Control] = [label(f"{len(picked)} chosen")]
    if len(picked) in COMPARED:
        buttons.append(link("Compare", "/compare?ids=" + ",".join(run.id for run in picked)))
    working = [run for run in picked if run.state in AT_WORK]
    if working:
        words = f"Stop {plural(len(working), 'run')}"
        buttons.append(secondary(words, lambda: _stop(engine, working), icon=ft.Icons.STOP))
    going = [run for run in picked if run.state in PAUSABLE]
    if going:
        words = f"Pause {plural(len(going), 'run')}"
        buttons.append(secondary(words, lambda: _tell(engine.runs.pause, going, "Pausing"), icon=ft.Icons.PAUSE))
    standing = [run for run in picked if run.state.resumable]
    if standing:
        words = f"Resume {plural(len(standing), 'run')}"
        buttons.append(
            secondary(words, lambda: _tell(engine.runs.resume, standing, "Resuming"), icon=ft.Icons.PLAY_ARROW)
        )
    resting = [run for run in picked if run.state not in AT_WORK]
    if resting:
        words = f"Delete {plural(len(resting), 'run')}"

        async def delete() -> None:
            clear()
            await _delete(engine, session, resting)

        buttons.append(danger(words, delete, icon=ft.Icons.DELETE_OUTLINE))
    return row(*buttons, quiet("Choose none", clear))


def _tell(tell: Callable[[str], object], runs: Sequence[RunView], doing: str) -> None:
    for run in runs:
        tell(run.id)
    toast(f"{doing} {plural(len(runs), 'run')}.")


def _stop(engine: Engine, runs: Sequence[RunView]) -> None:
    for run in runs:
        engine.runs.stop(run.id)
    toast("Stopping; what they learned is kept." if len(runs) > 1 else "Stopping; what it learned is kept.")


async def _delete(engine: Engine, session: Session, runs: Sequence[RunView]) -> None:
    said = f"{plural(len(runs), 'run')} deleted. Versions made from them stay."
    await delete_later(session, [run.id for run in runs], said, engine.runs.delete)


def _row(run: RunView, ticked: bool, tick: Callable[[str, bool], None], shown: frozenset[str]) -> ft.Control:
    words: list[ft.Control] = [
        label(run.name, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS),
        muted(run_line(run), max_lines=1, overflow=ft.TextOverflow.ELLIPSIS),
    ]
    loss = loss_of(run)
    said = {
        "loss": (short(loss) if loss is not None else "", 96),
        "progress": (percent(run.progress), 80),
        "started": (ago(run.created), 120),
    }
    figures: list[ft.Control] = [dot(run.state, width=120)]
    figures += [muted(words, size=14, width=width) for key, (words, width) in said.items() if key in shown]
    face = ft.Row([ft.Column(words, spacing=0, tight=True, expand=True), *figures], spacing=S3)
    opens = pressable(
        face,
        lambda: go(f"/runs/{run.id}"),
        name=f"Run {run.name}, {run.state.value}",
        padding=ft.Padding.symmetric(vertical=S2),
        expand=True,
    )
    return ft.Row([Tick(f"Choose {run.name}", ticked, lambda on: tick(run.id, on), width=40), opens], spacing=S3)
