"""Benchmarking: a version and its base through public tasks, each as a run like any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread
import msgspec

from engine.core.errors import RunError
from engine.core.home import Home, given_path
from engine.orders import Benchmark
from engine.outcomes import Outcomes
from engine.planning import Planning
from engine.results.benchmarks import Benchmarked, read_benchmarks
from engine.results.care import checked_base
from engine.results.tasks import tasks_in
from engine.runs.runs import Runs
from engine.runs.views import RunView
from engine.spec.benchmarks import installed
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from engine.spec.runspec import AdapterRef, BenchmarkJob, ModelRef, SpecInvalid, SpecTooNew

ENVIRONMENT = "lm-eval"
AT_ONCE = 8


class Benchmarking(msgspec.Struct, frozen=True):
    """A benchmark run and its job; one without tasks only installs the harness."""

    run: RunView
    job: BenchmarkJob

    @property
    def installs(self) -> bool:
        """Whether it was started to install the harness and for nothing else."""
        return not self.job.tasks

    @property
    def at_work(self) -> bool:
        """Queued or going on."""
        return self.run.state.active or self.run.state is RunState.CREATED


class Benchmarks:
    """Starts benchmark runs of an open Home, finds them, and reads what came out."""

    def __init__(self, home: Home, runs: Runs, planning: Planning, outcomes: Outcomes) -> None:
        self._home = home
        self._runs = runs
        self._planning = planning
        self._outcomes = outcomes
        self._jobs: dict[str, BenchmarkJob | None] = {}

    @property
    def environment(self) -> Path:
        """Where the harness is kept."""
        return self._home.environments / ENVIRONMENT

    @property
    def installed(self) -> bool:
        """Whether the harness is there; a run that finds it missing installs it first."""
        return installed(self.environment)

    def start(self, wish: Benchmark) -> str:
        """Queue it and return the run's id. Raises StudioError."""
        version = self._outcomes.folder.find(wish.version)
        checked_base(version)
        self._refuse_two_installations()
        folder = str(given_path(wish.tasks_folder)) if wish.tasks_folder else ""
        if folder:
            tasks_in(given_path(folder))
        adapter = str(self._outcomes.folder.adapter(version))
        job = BenchmarkJob(
            model=ModelRef(path=version.model_path, name=version.model, fingerprint=version.model_fingerprint),
            adapters=(AdapterRef(name=version.id, path=adapter, whole=version.whole),),
            tasks=wish.tasks,
            tasks_folder=folder,
            rows=wish.rows,
            few_shot=wish.few_shot,
            chat=wish.chat,
            online=wish.online,
            precision="fp32" if version.precision == "fp32" else "bf16",
            batch_size=AT_ONCE,
            seed=0,
            environment=str(self.environment),
        )
        name = f"benchmark {version.title}" if wish.tasks else "install lm-evaluation-harness"
        return self._runs.add(self._planning.spec(name, job))

    def _refuse_two_installations(self) -> None:
        """Two runs that install into one folder would spoil it for each other. Raises RunError."""
        if not self.installed and any(each.at_work for each in self.among(self._runs.list.value)):
            raise RunError(
                "lm-evaluation-harness is being installed.",
                "Another run does that first, and there is one place for it.",
                "Wait until it is installed, then start this one.",
            )

    def among(self, runs: Sequence[RunView]) -> tuple[Benchmarking, ...]:
        """The benchmark runs among these, in their order, each with its job."""
        found = ((run, self._job(run.id)) for run in runs if run.kind == "benchmark")
        return tuple(Benchmarking(run, job) for run, job in found if job is not None)

    def of(self, version_id: str, runs: Sequence[RunView]) -> tuple[Benchmarking, ...]:
        """The benchmark runs of a version among these."""
        named = (each for each in self.among(runs) if not each.installs)
        return tuple(each for each in named if any(adapter.name == version_id for adapter in each.job.adapters))

    def _job(self, run_id: str) -> BenchmarkJob | None:
        """What a run was asked; None where its spec cannot be read. A spec never changes, so it is read once."""
        if run_id not in self._jobs:
            try:
                job = RunFolder(self._home.runs / run_id).spec().job
            except (OSError, SpecInvalid, SpecTooNew):
                job = None
            self._jobs[run_id] = job if isinstance(job, BenchmarkJob) else None
        return self._jobs[run_id]

    async def own_tasks(self, folder: str) -> tuple[str, ...]:
        """The tasks in a folder of the user's own. Raises DataError where there are none."""
        return await anyio.to_thread.run_sync(tasks_in, given_path(folder))

    async def results(self, run_id: str, version_id: str) -> tuple[Benchmarked, ...]:
        """Base beside this version, in each task that both have done."""
        return await read_benchmarks(RunFolder(self._home.runs / run_id).results_file, version_id)
