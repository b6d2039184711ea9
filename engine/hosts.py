"""Hosts: the long-lived workers of an open Home that hold a base model for conversations, one for each base model."""

from __future__ import annotations

from pathlib import Path

import anyio.abc
import anyio.to_thread

from engine.core.errors import ModelError
from engine.core.home import Home
from engine.core.settings import Settings
from engine.core.topics import Topic
from engine.plan.hardware import detect
from engine.plan.hosting import holding
from engine.plan.models import read_base_model
from engine.planning import Planning
from engine.runs.process import alive
from engine.runs.runs import Runs
from engine.serving.host import HostSession, connect
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from engine.spec.runspec import HostJob


class Hosts:
    """Finds or starts the host of a base model, and opens sessions with it."""

    def __init__(
        self, home: Home, settings: Topic[Settings], runs: Runs, planning: Planning, group: anyio.abc.TaskGroup
    ) -> None:
        self._home = home
        self._settings = settings
        self._runs = runs
        self._planning = planning
        self._group = group

    def run(self, model_path: Path) -> RunFolder:
        """The run of the host that holds this base model; started when none does. Raises ModelError."""
        for view in self._runs.list.value:
            if view.kind == "host" and (view.state.active or view.state is RunState.CREATED):
                folder = RunFolder(self._home.runs / view.id)
                job = folder.spec().job
                if isinstance(job, HostJob) and Path(job.model.path) == model_path and not _dead(folder):
                    return folder
        model = read_base_model(model_path)
        how = holding(model, self._planning.hardware.value or detect(self._home.path))
        job = HostJob(
            model=model.ref,
            adapters=(),
            precision=how.precision,
            quantization=how.quantization,
            idle_seconds=self._settings.value.idle_host_seconds,
        )
        return RunFolder(self._home.runs / self._runs.add(self._planning.spec(f"host {model.name}", job)))

    async def open(self, model_path: Path) -> HostSession:
        """A session with the host of this base model. Raises StudioError."""
        from engine.data.prompting import Prompter

        await anyio.to_thread.run_sync(_refuse_gone, model_path)
        prompter = await anyio.to_thread.run_sync(Prompter, model_path)
        folder = self.run(model_path)
        session = await connect(folder, folder.spec().name.removeprefix("host "), prompter)
        self._group.start_soon(session.serve)
        return session


def _refuse_gone(model_path: Path) -> None:
    try:
        read_base_model(model_path)
    except ModelError as error:
        raise ModelError(
            "The base model is gone.",
            f"At {model_path}: {error.card.what} {error.card.why}",
            "Put it back where it was.",
            "Or talk to a model that is there.",
        ) from error


def _dead(folder: RunFolder) -> bool:
    """Its process was ended from outside, a moment before the list of runs says so."""
    launch = folder.launch()
    return launch is not None and not alive(launch)
