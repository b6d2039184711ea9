"""What a run's error cards and proposals can do: for every verb of `engine.monitor.anomaly.Do`, when it can be carried
out from here and how. What cannot is advice, shown without a button.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.monitor.anomaly import Do
from engine.runs.control import values_now
from engine.runs.views import RunView
from engine.spec.methods import method_name
from engine.spec.records import Action, Fact, Live, RunState
from engine.spec.runspec import TrainJob
from studio.hooks import go
from studio.kit import toast
from studio.pages.wizard_state import edits_that_fit
from studio.session import REVIEW

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.runs.follow import LiveRun
    from studio.session import Session

LOG = "log"
"""Shows the log; the run's page does that itself."""
FEWER, MORE, MUCH_LESS = 0.5, 2.0, 0.1
"""What the learning rate is multiplied by."""


def possible(action: Action, run: RunView) -> bool:
    """Whether a button can do this for the run as it stands; otherwise it is advice."""
    working = run.state in (RunState.RUNNING, RunState.INITIALIZING)
    match action.do:
        case Do.RESUME:
            return working or run.state.resumable
        case Do.ROLL_BACK:
            return run.state is RunState.PAUSED
        case Do.STOP | Do.KEEP_BEST | Do.LOWER_RATE:
            return working
        case Do.RAISE_RATE | Do.SHOW_ROWS:
            return run.kind == "train"
        case Do.RETRY_LOWER_RATE | Do.SMALLER_MICRO_BATCH | Do.CHECKPOINT_ACTIVATIONS | Do.QUANTIZE:
            return run.kind == "train"
        case "log":
            return True
        case "open":
            return bool(action.subject)
        case _:
            return False


def worded(action: Action) -> Action:
    """The action in the words of what its button does here."""
    if action.do == Do.SHOW_ROWS:
        return msgspec.structs.replace(action, label="Look at the rows of its data.")
    return action


def carry_out(engine: Engine, session: Session, live: LiveRun, action: Action) -> None:
    """Do what a button says. Raises StudioError when the engine refuses."""
    run = live.view.value
    match action.do:
        case Do.RESUME:
            _resume(engine, run)
        case Do.ROLL_BACK:
            engine.runs.resume(run.id, accept=True)
            toast("The run goes back to before the trouble, and on at half the learning rate.")
        case Do.STOP:
            engine.runs.stop(run.id)
            toast("Stopping; what it learned is kept.")
        case Do.KEEP_BEST:
            engine.runs.stop(run.id)
            toast("Stopping. The best checkpoint stays beside the result of the last step.")
        case Do.LOWER_RATE | Do.RAISE_RATE:
            _change_rate(engine, session, live, FEWER if action.do == Do.LOWER_RATE else MORE)
        case Do.SHOW_ROWS:
            go(f"/data/{_job(live).data.dataset}")
        case "open":
            go(action.subject)
        case _:
            _anew(engine, session, live, Do(action.do))


def _job(live: LiveRun) -> TrainJob:
    job = live.spec.job
    assert isinstance(job, TrainJob)  # `possible` offers it for training runs only
    return job


def _resume(engine: Engine, run: RunView) -> None:
    if run.state.resumable:
        engine.runs.resume(run.id)
        toast("The run goes on from its last checkpoint.")
    else:
        engine.runs.pause(run.id)
        toast("Pausing: saving the state first. Press Resume when it may go on.")


def _change_rate(engine: Engine, session: Session, live: LiveRun, factor: float) -> None:
    """A run at work takes another rate from its next step on; one that is not begins anew with it."""
    run, now = live.view.value, values_now(live.folder, _job(live).training)
    rate = (now.learning_rate or 0.0) * factor
    if run.state in (RunState.RUNNING, RunState.INITIALIZING):
        engine.runs.change(run.id, Live(learning_rate=rate))
        toast(f"From the next step on, the learning rate peaks at {rate:g}.")
    else:
        _review(engine, session, live, "", {"learning_rate": rate})


def _anew(engine: Engine, session: Session, live: LiveRun, verb: Do) -> None:
    """What changes how a run began makes a new one, which is reviewed first."""
    training = _job(live).training
    method = "qlora" if verb is Do.QUANTIZE else ""
    changes: dict[Do, dict[str, Fact]] = {
        Do.RETRY_LOWER_RATE: {"learning_rate": training.learning_rate * MUCH_LESS},
        Do.SMALLER_MICRO_BATCH: {"micro_batch": max(1, training.micro_batch // 2)},
        Do.CHECKPOINT_ACTIVATIONS: {"gradient_checkpointing": True},
        Do.QUANTIZE: {},
    }
    _review(engine, session, live, method, changes[verb])


def _review(engine: Engine, session: Session, live: LiveRun, method: str, changes: dict[str, Fact]) -> None:
    """The wizard's last step with everything as in this run but the changes."""
    job = _job(live)
    model = engine.planning.model(job.model.path)
    kind = method or method_name(job.method)
    objective = str(type(job.objective).__struct_config__.tag)
    same = {**_facts(job.training), **_facts(job.method), **_facts(job.objective)}
    edits = edits_that_fit({**same, **changes}, kind, objective)
    if method:
        edits = {name: value for name, value in edits.items() if name not in ("quantization", "double_quantization")}
    session.start_over(
        step=REVIEW,
        profile=job.profile,
        dataset=job.data.dataset,
        method=kind,
        name=f"{live.spec.name}, again",
        edits={**edits, "objective": objective},
    )
    session.add_model(model)
    go("/new")
    toast("A new run with this change is ready for you to review.")


def _facts(struct: msgspec.Struct) -> dict[str, Fact]:
    """A struct's values as a form has them: lists of names as one text."""
    values: dict[str, Any] = msgspec.structs.asdict(struct)
    return {name: ", ".join(each) if isinstance(each, tuple) else each for name, each in values.items()}
