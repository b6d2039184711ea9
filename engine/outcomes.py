"""Outcomes: what the runs of an open Home became: versions and their evaluations."""

from __future__ import annotations

import anyio.to_thread

from engine.core.home import Home
from engine.core.topics import Topic
from engine.data.library import first_questions
from engine.planning import Planning
from engine.results.after import evaluation_job, keep_verdict, keep_version
from engine.results.evaluation import Evaluation
from engine.results.versions import Version, Versions
from engine.runs.calibrating import Calibrations
from engine.runs.noting import note_end
from engine.runs.runs import Runs
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from engine.spec.records import RunState


class Outcomes:
    """The versions of a Home; `versions` is the newest list, the newest version first."""

    def __init__(self, home: Home, runs: Runs, planning: Planning, calibrations: Calibrations) -> None:
        self._home = home
        self._runs = runs
        self._planning = planning
        self._calibrations = calibrations
        self.folder = Versions(home.versions)
        self.versions: Topic[tuple[Version, ...]] = Topic(self.folder.all())

    async def after_run(self, view: RunView) -> None:
        """What follows the end of a run: a trained one is read and becomes a version, an evaluation its verdict."""
        folder = RunFolder(self._home.runs / view.id)
        if view.kind == "train" and view.state in (RunState.COMPLETED, RunState.STOPPED):
            await note_end(folder, view, self._runs.list.value, self._calibrations)
            await anyio.to_thread.run_sync(keep_version, self.folder, folder, view)
        elif view.kind == "evaluate" and view.state is RunState.COMPLETED:
            await keep_verdict(self.folder, folder, self._home.datasets)
        self.versions.set(self.folder.all())

    async def evaluate(self, words: str) -> str:
        """Queue the evaluation of a version beside its base on the held-out rows; returns the run's id.

        Raises StudioError.
        """
        version = self.folder.find(words)
        job = evaluation_job(self.folder, version)
        return self._runs.add(self._planning.spec(f"evaluate {version.name} {version.number}", job))

    def evaluation(self, version_id: str) -> Evaluation | None:
        """A version's evaluation, once there is one."""
        return self.folder.evaluation(self.folder.find(version_id))

    async def examples(self, version_id: str, count: int = 3) -> tuple[str, ...]:
        """Prompts to try: the first held-out questions of the version's dataset."""
        version = self.folder.find(version_id)
        return await anyio.to_thread.run_sync(first_questions, self._home.datasets, version.dataset_id, count)
