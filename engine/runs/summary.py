"""A run's view read off its folder: what the lists show of runs nobody is watching."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from engine.monitor.proposal import Proposal
from engine.runs.control import wants_attempt
from engine.runs.launch import starting_problem
from engine.runs.process import alive
from engine.runs.reading import kept_reading
from engine.runs.standing import expectation, standing
from engine.runs.views import RunView
from engine.spec.files import read_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import method_name
from engine.spec.records import Action, Card, LaunchRecord, MetricLine, RunState, StateRecord
from engine.spec.runspec import BenchmarkJob, EvaluateJob, ExportJob, HostJob, ProbeJob, RunSpec, TrainJob

TAIL_BYTES = 16_384
LOST = Card(
    what="The worker disappeared.",
    why="Its process ended without a word: it was killed, the machine restarted, or memory ran out.",
    actions=(
        Action(label="Resume from the last checkpoint.", do="resume"),
        Action(label="Open the log.", do="log"),
    ),
    code="lost",
)


def judged(folder: RunFolder, state: StateRecord, launch: LaunchRecord | None) -> tuple[RunState, Card | None]:
    """Where a run really stands: its own word, unless its process is gone (then it is lost) or it waits again."""
    if wants_attempt(folder):
        return RunState.CREATED, None
    if launch is None:
        return RunState.STOPPED, None  # taken out of the queue before it began
    unfinished = state.attempt < launch.attempt or state.state.active or state.state is RunState.CREATED
    if not unfinished:
        return state.state, state.error
    if not alive(launch):
        latest = folder.state()  # it may have finished between the two looks
        if latest.attempt == launch.attempt and not latest.state.active:
            return latest.state, latest.error
        return RunState.LOST, LOST
    if problem := starting_problem(folder, launch):
        return RunState.INITIALIZING, problem.card
    begun = state.attempt == launch.attempt and state.state is not RunState.CREATED
    return (state.state if begun else RunState.INITIALIZING), None


def proposed(folder: RunFolder, attempt: int) -> Proposal | None:
    """What this attempt of a run proposes; None when it asks nothing."""
    try:
        found = read_struct(folder.proposal_file, Proposal)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if found.attempt == attempt else None


def asking(folder: RunFolder, state: RunState, launch: LaunchRecord | None) -> tuple[str, float]:
    """What a run that goes on proposes and when it did so last; nothing where it asks nothing."""
    found = proposed(folder, launch.attempt) if launch and state is RunState.RUNNING else None
    if found is None:
        return "", 0.0
    return found.card.what, folder.proposal_file.stat().st_mtime


def static_view(spec: RunSpec) -> RunView:
    """What the spec alone says."""
    view = RunView(
        id=spec.id,
        kind=spec.kind,
        name=spec.name,
        state=RunState.CREATED,
        created=spec.created,
        updated=spec.created,
        priority=spec.priority,
    )
    match spec.job:
        case TrainJob() as job:
            return msgspec.structs.replace(
                view,
                model=job.model.name,
                dataset=job.data.name,
                method=method_name(job.method),
                profile=job.profile,
                total_steps=job.total_steps,
                epochs=job.training.epochs,
            )
        case ProbeJob(train=job, steps=steps):
            return msgspec.structs.replace(view, model=job.model.name, dataset=job.data.name, total_steps=steps)
        case EvaluateJob() as job:
            return msgspec.structs.replace(view, model=job.model.name, dataset=job.data.name)
        case HostJob() | ExportJob() | BenchmarkJob() as job:
            return msgspec.structs.replace(view, model=job.model.name)


def with_notes(view: RunView, folder: RunFolder, state: StateRecord) -> RunView:
    """The view with what the engine noted beside the run: its place, what was expected, how it was read."""
    if view.kind != "train":
        return view
    place, expected, kept = standing(folder), expectation(folder), kept_reading(folder, state)
    return msgspec.structs.replace(
        view,
        priority=view.priority if place.priority is None else place.priority,
        sweep=place.sweep,
        expected_memory=int(expected.memory.expected) if expected else None,
        quality=kept.reading.score if kept else None,
        best_validation=kept.best_validation if kept else None,
    )


def read_view(folder: RunFolder, spec: RunSpec | None = None) -> RunView:
    """The run as it stands. Raises OSError, SpecTooNew or SpecInvalid when its spec cannot be read."""
    state, launch = folder.state(), folder.launch()
    judgement, error = judged(folder, state, launch)
    asks, asked = asking(folder, judgement, launch)
    newest = newest_values(folder.metrics_file)
    base = with_notes(static_view(spec or folder.spec()), folder, state)
    return msgspec.structs.replace(
        base,
        state=judgement,
        error=error,
        asks=asks,
        asked=asked,
        attempt=launch.attempt if launch else 0,
        step=max(state.step, int(newest.get("step", 0))),
        total_steps=state.total_steps or base.total_steps,
        updated=state.time or base.created,
        loss=newest.get("loss"),
        validation_loss=newest.get("validation_loss"),
        tokens_per_second=newest.get("tokens_per_second"),
        memory=newest.get("worker_memory"),
        seconds=max(0.0, (state.time or base.created) - launch.time) if launch else 0.0,
    )


def newest_values(metrics: Path) -> dict[str, float]:
    """The last value of each metric near the end of the file, and the last `step`; empty when there is none."""
    try:
        with metrics.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return {}
    decoder = msgspec.json.Decoder(MetricLine)
    newest: dict[str, float] = {}
    for line in lines:
        try:
            record = decoder.decode(line)
        except msgspec.DecodeError:  # the cut first line, or a torn one
            continue
        newest |= {name: float(value) for name, value in record.values.items()} | {"step": float(record.step)}
    return newest
