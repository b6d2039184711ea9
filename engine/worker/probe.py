"""A probe: the first steps of a planned run, timed, with nothing kept of them but the numbers."""

from __future__ import annotations

from engine.spec.exits import Exit
from engine.spec.folder import RunFolder
from engine.spec.runspec import ProbeJob
from engine.worker.control import ControlFile
from engine.worker.group import Group
from engine.worker.reporter import Reporter
from engine.worker.training import Training


class Probe(Training):
    """The loop for a few steps: no validation, no checkpoint, no result."""

    lagging = False

    def __init__(
        self, job: ProbeJob, folder: RunFolder, reporter: Reporter, control: ControlFile, group: Group | None = None
    ) -> None:
        super().__init__(job.train, folder, reporter, control, group)
        self.last = min(job.steps, job.train.total_steps)

    def _validate(self) -> None:
        pass

    def _save_checkpoint(self) -> None:
        pass

    def _finish(self) -> Exit:
        self.feed.close()
        self.reporter.event("finished", f"{self.step} steps timed.")
        return Exit.COMPLETED
