"""Starting and stopping a sweep: every combination is planned before the first is queued, so that all start or none.

Once they are queued they are runs like any others: one that fails does not hold up the next.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from anyio.lowlevel import checkpoint

from engine.core.errors import PlanError, StudioError
from engine.holding import new_id
from engine.plan.planner import Draft
from engine.plan.sweep import combinations, names_of, values_words
from engine.runs.standing import Expectation
from engine.runs.sweeps import Member, Sweep
from engine.runs.views import RunView
from engine.spec.records import Fact, RunState
from engine.spec.runspec import RunSpec

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.orders import Order, StartSweep

CHOICES = ("method", "profile")
"""What an order names apart from its settings, and a sweep may vary as well."""
Drafts = dict[tuple[tuple[str, str], ...], Draft]


async def start_sweep(engine: Engine, wish: StartSweep) -> Sweep:
    """Plan all runs of a sweep, then queue them. Raises StudioError naming the combination that stands against it."""
    combined = combinations(wish.over, wish.count, wish.seed)
    first = await engine.planning.draft(wish.order)
    name = wish.name or f"{first.name} sweep"
    drafts: Drafts = {(): first}
    ready: list[tuple[dict[str, Fact], RunSpec, Expectation]] = []
    for number, values in enumerate(combined, start=1):
        await checkpoint()  # a large sweep must not hold up everything else
        try:
            base = await _base(engine, wish.order, values, drafts)
            edits = {**base.edits, **{key: value for key, value in values.items() if key not in CHOICES}}
            draft = msgspec.structs.replace(base, name=f"{name} {number}", edits=edits)
            ready.append((values, *engine.planning.runnable(await engine.planning.settled(draft))))
        except StudioError as error:
            raise _refused(values, error) from error
    return await _queue(engine, wish, name, first.data.name, ready)


async def _base(engine: Engine, order: Order, values: dict[str, Fact], known: Drafts) -> Draft:
    """The draft that the settings are put into; its data is counted once for each method and profile."""
    choices = {key: str(values[key]) for key in CHOICES if key in values}
    key = tuple(choices.items())
    if key not in known:
        known[key] = await engine.planning.draft(msgspec.structs.replace(order, **choices))
    return known[key]


async def _queue(
    engine: Engine, wish: StartSweep, name: str, dataset: str, ready: list[tuple[dict[str, Fact], RunSpec, Expectation]]
) -> Sweep:
    sweep = Sweep(
        id=new_id(name),
        name=name,
        made=time.time(),
        dataset=dataset,
        settings=names_of(values for values, _, _ in ready),
        drawn=wish.count,
        seed=wish.seed,
        members=tuple(Member(run=spec.id, values=values) for values, spec, _ in ready),
    )
    engine.sweeps.keep(sweep)
    for _, spec, expected in ready:
        await checkpoint()
        engine.runs.add(spec, expected=expected, sweep=sweep.id)
    return sweep


def _refused(values: dict[str, Fact], error: StudioError) -> PlanError:
    card = error.card
    return PlanError(
        f"The combination {values_words(values)} cannot be planned: {card.what}",
        f"{card.why} Nothing was queued.",
        *card.actions,
    )


async def stop_sweep(engine: Engine, words: str) -> tuple[str, ...]:
    """Stop a sweep's runs, the waiting ones first, so that none of them starts in between. Raises RunError."""
    members = {member.run for member in engine.sweeps.find(words).members}
    left = [view for view in engine.runs.list.value if view.id in members and _goes_on(view)]
    left.sort(key=lambda view: view.state.active)
    for view in left:
        await checkpoint()
        if _goes_on(engine.runs.find(view.id)):  # it may have ended meanwhile
            engine.runs.stop(view.id)
    return tuple(view.id for view in left)


def _goes_on(view: RunView) -> bool:
    return view.state.active or view.state is RunState.CREATED
