"""What a probe says: its steps on the real device against what the estimate of its run expects of them."""

from __future__ import annotations

from statistics import median

from engine.plan.calibration import calibrate, score_of
from engine.runs.curves import curves
from engine.runs.scoring import UNCORRECTED, Scored
from engine.runs.standing import expectation
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from engine.spec.runspec import ProbeJob

STEPS = 4
"""Of a probe: the first two warm up, the others count."""
WARM = 2


def probed(folder: RunFolder) -> Scored | None:
    """The probe's score; None when it did not come to its end or nothing was expected."""
    job, expected, state = folder.spec().job, expectation(folder), folder.state()
    if not isinstance(job, ProbeJob) or expected is None or state.state is not RunState.COMPLETED:
        return None
    metric = "gpu_memory" if expected.on_gpu else "worker_memory"
    series = curves(folder, ("step_seconds", metric))
    steps = series["step_seconds"].values
    if not len(steps):
        return None
    peak = max(series[metric].values, default=expected.memory.expected)  # a short probe may end before a reading
    seconds = median(steps[min(WARM, len(steps) - 1) :])
    before = expected.calibration or UNCORRECTED
    predicted = expected.work_seconds / job.train.total_steps
    took = expected.seconds.expected + (seconds - predicted) * job.train.total_steps
    return Scored(
        run=folder.id,
        device=expected.device,
        method=expected.method,
        parameters=expected.parameters,
        seconds=max(took, seconds),
        peak_bytes=peak,
        alone=True,
        ratios=calibrate(
            seconds, predicted / before.seconds, peak, expected.memory.expected / before.memory, len(steps)
        ),
        score=score_of(expected.seconds, expected.memory, max(took, seconds), peak),
    )
