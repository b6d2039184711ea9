"""The reading of a finished run (requirement G11): quality score, plain words and advice, kept beside the run.

`reading.json` is the engine's. What is missing or of an earlier attempt is made again from the run's own records, so
that a face without the Home's lock reads the same. What a good course is, engine/monitor/reading.py knows.
"""

from __future__ import annotations

import math

import msgspec

from engine.monitor.reading import Course, Point, Reading, Seen, read
from engine.runs.curves import curves
from engine.runs.views import Series
from engine.spec.files import LineReader, read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import LowRank
from engine.spec.records import Event, RunState, StateRecord
from engine.spec.runspec import TrainJob

FILE = "reading.json"
ENDED = (RunState.COMPLETED, RunState.STOPPED)
HEALING = ("roll-back", "lower-rate")
"""Recoveries that say something about the settings; a smaller micro-batch says something about the machine."""
ACCEPTED = "roll-back"
"""What a recovery without a name is: a proposed one that a person accepted."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """`reading.json`: a reading, and the end that it is of. The losses are in nats."""

    attempt: int
    step: int
    best_validation: float | None
    reading: Reading


def reading_of(folder: RunFolder) -> Kept | None:
    """The reading of a train run that completed or was stopped; None for any other. Raises OSError or SpecInvalid."""
    state = folder.state()
    if state.state not in ENDED:
        return None
    return kept_reading(folder, state) or _made(folder, state)


def kept_reading(folder: RunFolder, state: StateRecord) -> Kept | None:
    """The reading as it was kept, where it is of this end."""
    try:
        kept = read_struct(folder.path / FILE, Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept if (kept.attempt, kept.step) == (state.attempt, state.step) else None


def keep_reading(folder: RunFolder) -> Kept | None:
    """Make the reading and keep it beside the run. Raises OSError."""
    made = reading_of(folder)
    if made is not None:
        write_struct(folder.path / FILE, made)
    return made


def _made(folder: RunFolder, state: StateRecord) -> Kept | None:
    job = folder.spec().job
    if not isinstance(job, TrainJob):
        return None
    course = course_of(folder, job, state.step)
    sound = [point.value for point in course.validation if math.isfinite(point.value)]
    return Kept(attempt=state.attempt, step=state.step, best_validation=min(sound, default=None), reading=read(course))


def course_of(folder: RunFolder, job: TrainJob, steps_done: int) -> Course:
    """How a run went, from `metrics.jsonl` and `events.jsonl`."""
    series = curves(folder, ("loss", "validation_loss"))
    events = LineReader(folder.events_file, Event).read()
    return Course(
        loss=_points(series["loss"]),
        validation=_points(series["validation_loss"]),
        steps_done=steps_done,
        steps_planned=job.total_steps,
        epochs=job.training.epochs,
        learning_rate=job.training.learning_rate,
        rank=job.method.rank if isinstance(job.method, LowRank) else None,
        anomalies=_anomalies(events),
        recoveries=sum(event.kind == "recovery" and event.facts.get("remedy", ACCEPTED) in HEALING for event in events),
    )


def _points(series: Series) -> tuple[Point, ...]:
    return tuple(Point(step, value) for step, value in zip(series.steps, series.values, strict=True))


def _anomalies(events: list[Event]) -> tuple[Seen, ...]:
    """Each once: an attempt that went over the same steps reports the same again."""
    seen = (Seen(str(event.facts.get("name", "")), event.step) for event in events if event.kind == "anomaly")
    return tuple(dict.fromkeys(seen))
