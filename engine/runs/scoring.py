"""An estimate against what the run then took (requirement F10), kept as `score.json` beside the run.

Only a run that completed in one go is scored: of one that was stopped or resumed, the time says nothing about the
estimate.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.plan.calibration import Calibration, Score, calibrate, score_of
from engine.runs.curves import curves
from engine.runs.standing import Expectation, expectation
from engine.runs.views import RunView, Series
from engine.spec.files import read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import RunState

FILE = "score.json"
UNCORRECTED = Calibration(seconds=1.0, memory=1.0, steps=1)


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """`score.json`: what a run took in seconds and bytes, and how good its estimate was.

    `ratios` are measured over predicted by the uncorrected formulas. `alone` says that no other run was at work
    meanwhile, so that its speed is the machine's.
    """

    run: str
    device: str
    method: str
    parameters: int
    seconds: float
    peak_bytes: float
    alone: bool
    ratios: Calibration
    score: Score


def scored(folder: RunFolder) -> Scored | None:
    """The run's score, once it has one."""
    try:
        return read_struct(folder.path / FILE, Scored)
    except (OSError, msgspec.MsgspecError):
        return None


def keep_score(folder: RunFolder, *, alone: bool) -> Scored | None:
    """Score the run's estimate and keep that. None when there is nothing to compare. Raises OSError."""
    expected = expectation(folder)
    made = _score(folder, expected, alone) if expected else None
    if made is not None:
        write_struct(folder.path / FILE, made)
    return made


def _score(folder: RunFolder, expected: Expectation, alone: bool) -> Scored | None:
    state, launch = folder.state(), folder.launch()
    if state.state is not RunState.COMPLETED or launch is None or launch.attempt != 0:
        return None
    metric = "gpu_memory" if expected.on_gpu else "worker_memory"
    series = curves(folder, ("step_seconds", metric))
    steps = series["step_seconds"]
    took, peak = state.time - launch.time, max(series[metric].values, default=0.0)
    if took <= 0 or peak <= 0 or not len(steps):
        return None
    return Scored(
        run=folder.id,
        device=expected.device,
        method=expected.method,
        parameters=expected.parameters,
        seconds=took,
        peak_bytes=peak,
        alone=alone,
        ratios=_ratios(expected, _work(steps, state.time), peak, len(steps)),
        score=score_of(expected.seconds, expected.memory, took, peak),
    )


def _work(steps: Series, ended: float) -> float:
    """Seconds from the start of the first step to the end: loading the libraries is not what is calibrated."""
    return ended - steps.times[0] + steps.values[0]


def _ratios(expected: Expectation, work: float, peak: float, steps: int) -> Calibration:
    """Over what the bare formulas said: a correction that the estimate had already is taken out of it."""
    before = expected.calibration or UNCORRECTED
    return calibrate(
        work, expected.work_seconds / before.seconds, peak, expected.memory.expected / before.memory, steps
    )


def was_alone(view: RunView, others: Sequence[RunView]) -> bool:
    """No other run but an idle host was at work between this run's start and its end."""
    begun = view.updated - view.seconds
    return not any(
        other.id != view.id
        and other.kind != "host"
        and (other.state.active or other.updated > begun)
        and other.seconds > 0
        and other.updated - other.seconds < view.updated
        for other in others
    )
