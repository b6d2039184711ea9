"""What the wizard's steps share: their names, the plan that follows the draft, and the way to a ready-made draft."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.core.errors import StudioError, unexpected
from engine.plan.edits import settings_for
from engine.plan.facts import DataFacts
from engine.plan.models import BaseModel
from engine.plan.planner import Draft, Plan
from engine.results.continuing import Continuation
from engine.spec.objectives import LAYOUTS
from engine.spec.records import Card, Fact
from studio.hooks import go, use_engine, use_loaded
from studio.kit import toast
from studio.model_folders import use_folders
from studio.session import DATA, MODEL, REVIEW, SETTINGS, USE_CASE, Session, WizardDraft

if TYPE_CHECKING:
    from engine.engine import Engine

FIRST_LENGTH = 2048
"""Tokens a dataset is first prepared at; the plan may then ask for fewer."""
SAMPLE = "support.csv"
SAMPLE_PROFILE = "customer-support"


OBJECTIVE = "objective"
"""The edit that names what is optimised; without it the plan chooses what suits the data."""


class PlanState(msgspec.Struct, frozen=True, eq=False):
    """The plan of a draft: not yet possible, on its way, ready, or refused. One that is ready and `waiting` rests on
    counts of the values before; newer ones are on their way."""

    plan: Plan | None = None
    draft: Draft | None = None
    waiting: bool = False
    card: Card | None = None


class Counted:
    """What was counted last, kept while it is counted anew: a form that is being edited stays on the screen."""

    facts: DataFacts | None = None


def profile_title(engine: Engine, profile_id: str) -> str:
    """A profile's name as people read it."""
    return next((each.title for each in engine.planning.profiles() if each.id == profile_id), "")


def use_models() -> tuple[BaseModel, ...]:
    """The models at hand: the starter, those in the Home, and folders that were named."""
    engine = use_engine()
    found = ft.use_memo(lambda: engine.planning.models().models, [])
    named = use_folders().models
    known = {each.path for each in found}
    return (*found, *(each for each in named if each.path not in known))


def chosen_model(models: tuple[BaseModel, ...], draft: WizardDraft) -> BaseModel | None:
    """The draft's model among those at hand."""
    return next((each for each in models if each.path == draft.model), None)


def first_length(engine: Engine, draft: WizardDraft, model: BaseModel) -> int:
    """The context length that data is first counted at: the profile's, as far as the model can read."""
    context = next(
        (each.dials.context for each in engine.planning.profiles() if each.id == draft.profile), FIRST_LENGTH
    )
    return min(model.context, context)


def use_plan(draft: WizardDraft) -> PlanState:
    """The plan that follows from the draft, again at every change; data is counted first where it was not yet."""
    engine = use_engine()
    model = chosen_model(use_models(), draft)
    objective = objective_of(draft)
    length, set_length = ft.use_state(0)
    wanted = int(draft.edits.get("max_length", 0)) or length
    if not wanted and model is not None:
        wanted = first_length(engine, draft, model)

    async def count() -> Any:
        if model is None or not draft.dataset:
            return None
        return await engine.library.facts(draft.dataset, model, wanted, objective)

    loaded = use_loaded(count, [draft.dataset, draft.model, wanted, objective])
    counted = ft.use_memo(Counted, [draft.model])
    if loaded.done:
        counted.facts = loaded.value
    state = state_of(engine, draft, model, counted.facts, loaded.waiting, loaded.error)

    def prepare_again() -> None:
        if state.plan is not None and state.plan.needs_preparing and "max_length" not in draft.edits:
            set_length(state.plan.training.max_length)

    ft.use_effect(prepare_again, [state.plan.training.max_length if state.plan else 0, draft.dataset, draft.model])
    return state


def state_of(
    engine: Engine, draft: WizardDraft, model: BaseModel | None, facts: Any, waiting: bool, error: Exception | None
) -> PlanState:
    """Where the plan of a draft stands, from its model and the counts of its data as far as they are there."""
    if model is None or not draft.dataset:
        return PlanState()
    if error is not None:
        return PlanState(card=unexpected(error))
    objective = objective_of(draft)
    if facts is None or facts.dataset != draft.dataset or (objective and LAYOUTS.get(objective) != facts.layout):
        return PlanState(waiting=waiting)
    onward = goes_on(draft)
    name = draft.name or f"{facts.name}, {profile_title(engine, draft.profile).lower()}"
    request = Draft(
        name=name,
        profile=draft.profile,
        model=model,
        data=facts,
        method=draft.method or None,
        objective=objective,
        edits={
            **{key: value for key, value in draft.edits.items() if key != OBJECTIVE},
            **(onward.edits if onward else {}),
        },
        parent=onward.parent if onward else None,
    )
    try:
        return PlanState(plan=engine.planning.plan(request), draft=request, waiting=waiting)
    except StudioError as problem:
        return PlanState(draft=request, card=problem.card)


def goes_on(draft: WizardDraft) -> Continuation | None:
    """The version that training goes on from, as long as its base and its method are the chosen ones."""
    onward = draft.onward
    return onward if onward and (onward.model_path, onward.method) == (draft.model, draft.method) else None


def review_draft(engine: Engine, session: Session, draft: Draft) -> None:
    """Open the wizard's last step with a ready draft, and what it takes over from the version it goes on from."""
    onward = engine.outcomes.continuation(draft.parent.name) if draft.parent else None
    session.start_over(
        step=REVIEW,
        profile=draft.profile,
        dataset=draft.data.dataset,
        method=(onward.method if onward else draft.method) or "",
        name=draft.name,
        edits={**draft.edits, **({OBJECTIVE: draft.objective} if draft.objective else {})},
        onward=onward,
    )
    session.add_model(draft.model)
    go("/new")
    toast("The run is ready for you to review.")


def objective_of(draft: WizardDraft) -> str | None:
    """The objective a person chose; None leaves it to the plan."""
    return str(draft.edits.get(OBJECTIVE, "")) or None


def edits_that_fit(edits: Mapping[str, Fact], method: str, objective: str) -> dict[str, Fact]:
    """Those edits that this method and objective have a setting for."""
    known = settings_for(method, objective)
    return {name: value for name, value in edits.items() if name in known}


def ready_until(draft: WizardDraft, state: PlanState) -> int:
    """The last step that can be shown: each needs what those before it decide."""
    if not draft.profile:
        return USE_CASE
    if not draft.dataset:
        return DATA
    if not draft.model:
        return MODEL
    return REVIEW if state.plan is not None else SETTINGS


async def sample_draft(engine: Engine) -> dict[str, Any]:
    """Everything chosen for a first try: the support sample, the smallest model, the suggested settings."""
    source = next((path for path in engine.library.samples() if path.name == SAMPLE), engine.library.samples()[0])
    dataset = next((each for each in engine.library.datasets.value if Path(each.source).name == source.name), None)
    if dataset is None:
        dataset = await engine.library.add(source)
    model = min(engine.planning.models().models, key=lambda each: each.parameters)
    profile = next(
        (each.id for each in engine.planning.profiles() if each.id == SAMPLE_PROFILE), engine.planning.profiles()[0].id
    )
    inspection = await engine.library.inspect(source)
    return {
        "step": REVIEW,
        "profile": profile,
        "path": str(source),
        "inspection": inspection,
        "dataset": dataset.id,
        "model": model.path,
    }


async def try_sample(engine: Engine, session: Session) -> None:
    """Open the last step with everything chosen for a first try. Raises StudioError."""
    session.start_over(**await sample_draft(engine))
    go("/new")
