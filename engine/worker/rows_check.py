"""Whether a run's data is what its plan was made for; asked before anything is loaded that costs time."""

from __future__ import annotations

from pathlib import Path

from engine.spec.exits import Exit
from engine.spec.objectives import LAYOUTS, objective_name
from engine.spec.prepared import read_header
from engine.spec.runspec import TrainJob
from engine.worker.batches import steps_per_epoch
from engine.worker.fault import Fault


def check_rows(job: TrainJob, examples: int, labels: int) -> None:
    """Raises Fault: nothing to learn, rows of another kind than the objective's, or another number than planned."""
    name, layout = objective_name(job.objective), read_header(Path(job.data.prepared)).layout
    if layout != LAYOUTS[name]:
        raise Fault(
            Exit.BAD_DATA,
            f"This data does not fit the objective {name}.",
            f"It needs {LAYOUTS[name]}, and the data holds {layout}.",
            "Plan the run again with this dataset.",
        )
    if examples == 0 or labels == 0:
        raise Fault(
            Exit.BAD_DATA,
            "There is nothing to train on.",
            "No row of this dataset has a response within the context length.",
            "Raise the context length.",
            "Check the columns chosen as question and answer.",
        )
    found = job.training.epochs * steps_per_epoch(examples, job.training.batch_size)
    if found != job.total_steps:
        raise Fault(
            Exit.BAD_SPEC,
            "The plan and the data do not agree.",
            f"The plan has {job.total_steps} steps, the prepared data makes {found}.",
            "Plan the run again; its data was prepared anew.",
        )
