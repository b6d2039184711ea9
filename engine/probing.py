"""Probing: a drafted run's first steps are timed on the real device, and the plan is made again with what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.errors import RunError
from engine.plan.planner import Draft, Plan
from engine.runs.probing import STEPS, probed
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from engine.spec.runspec import ProbeJob, TrainJob

if TYPE_CHECKING:
    from engine.engine import Engine


async def probe(engine: Engine, draft: Draft) -> Plan:
    """Time a draft's first steps, then plan it with that. Raises PlanError or RunError; takes its turn in the queue."""
    settled = await engine.planning.settled(draft)
    spec, expected = engine.planning.runnable(settled)
    assert isinstance(spec.job, TrainJob)
    short = engine.planning.spec(f"probe {draft.name}", ProbeJob(train=spec.job, steps=STEPS))
    run = engine.runs.add(short, expected=expected)
    view = await _end_of(engine, run)
    made = probed(RunFolder(engine.home.runs / run)) if view.state is RunState.COMPLETED else None
    if made is None:
        card = view.error
        raise RunError(
            card.what if card else "The probe did not come to its end.",
            card.why if card else f"It is {view.state.value}.",
            "Look at its log: it is in the list of runs.",
            "Or plan without a probe.",
        )
    engine.planning.learn(made)
    return engine.planning.plan(settled)


async def _end_of(engine: Engine, run: str) -> RunView:
    async for views in engine.runs.list.watch():
        view = next((each for each in views if each.id == run), None)
        if view is not None and not view.state.active and view.state is not RunState.CREATED:
            return view
    raise AssertionError("a topic's watch does not end")
