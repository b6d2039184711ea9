"""Engine: opens a Home, starts the task group, owns the parts; the one door for every face.

Plain Python and anyio. It never calls a face: it publishes topics, and the faces' own tasks watch them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.abc
import anyio.to_thread
import msgspec

from engine import orders
from engine.core import settings as settings_file
from engine.core.home import Home
from engine.core.settings import Settings
from engine.core.store import Store
from engine.core.topics import Topic
from engine.data import service as data
from engine.data.library import first_questions, list_datasets, load_dataset
from engine.data.nouns import Dataset, Inspection, Limits, Mapping, SplitPlan, Step, TextRows
from engine.desk import Desk
from engine.holding import new_id, take
from engine.plan.calibration import Calibration
from engine.plan.facts import DataFacts
from engine.plan.hardware import Hardware, detect
from engine.plan.methods import method_facts
from engine.plan.models import BaseModel, FoundModels, find_models, read_base_model, starter_path
from engine.plan.planner import Draft, Means, Plan, method_of, plan, refuse_unready, to_spec
from engine.plan.profiles import Profile, profile, profile_for, profiles
from engine.results.after import evaluation_job, keep_verdict, keep_version
from engine.results.evaluation import Evaluation
from engine.results.versions import Version, Versions
from engine.runs import index, meters
from engine.runs.calibrating import Calibrations
from engine.runs.meters import Meters
from engine.runs.noting import note_end
from engine.runs.runs import Runs
from engine.runs.standing import Expectation, expectation_of
from engine.runs.sweeps import Sweep, Sweeps
from engine.runs.views import RunView
from engine.serving.host import HostSession, connect
from engine.spec.folder import RunFolder
from engine.spec.methods import method_name
from engine.spec.objectives import LAYOUTS
from engine.spec.prepared import Split, read_header
from engine.spec.records import RunState
from engine.spec.runspec import FORMAT, EvaluateJob, HostJob, RunSpec
from engine.sweeping import start_sweep, stop_sweep

if TYPE_CHECKING:
    from engine.data.preview import PreviewRow

log = logging.getLogger(__name__)
METER_SECONDS = 2.0


class Engine:
    """One open Home. Use `async with Engine.open(path) as engine`."""

    def __init__(self, home: Home, store: Store, role: str, group: anyio.abc.TaskGroup) -> None:
        self.home = home
        self.role = role
        self.leaving = anyio.Event()
        self.settings: Topic[Settings] = Topic(settings_file.load(home.settings))
        self.hardware: Topic[Hardware | None] = Topic(None)
        self.meters: Topic[Meters] = Topic(meters.read(home.path))
        self.datasets: Topic[tuple[Dataset, ...]] = Topic(tuple(list_datasets(home.datasets)))
        self.runs = Runs(home.runs, store, lambda: self.settings.value.concurrent_runs)
        self.sweeps = Sweeps(home.path, home.runs)
        self.calibrations = Calibrations(home.path, home.runs)
        self.versions_folder = Versions(home.versions)
        self.versions: Topic[tuple[Version, ...]] = Topic(self.versions_folder.all())
        self._group = group
        self._desk = Desk(self, role, self.leaving.set)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path | None = None, role: str = "app") -> AsyncIterator[Engine]:
        """Hold a Home. A keeper gives way to an app. Raises HomeError, or HomeHeld when an app has it."""
        home = Home.open(path)
        lock = await take(home, role)
        try:
            store = await anyio.to_thread.run_sync(Store, home.database, index.MIGRATIONS)
            try:
                async with anyio.create_task_group() as group:
                    engine = cls(home, store, role, group)
                    await engine._start()
                    yield engine
                    group.cancel_scope.cancel()
            finally:
                await anyio.to_thread.run_sync(store.close)
        finally:
            lock.release()

    async def _start(self) -> None:
        self.runs.on_end.append(self._after_run)
        await self.runs.open()
        self._group.start_soon(self.runs.serve)
        self._group.start_soon(self._desk.serve)
        if self.role == "app":
            self._group.start_soon(self._read_meters)
            self._group.start_soon(self._watch_datasets)
        self._group.start_soon(self._find_hardware)

    @property
    def busy(self) -> bool:
        """Something goes on that needs a holder: a run, a queue, or a command."""
        return self.runs.busy or self._desk.at_work > 0

    def save_settings(self, settings: Settings) -> None:
        """Keep and publish the settings. Raises StudioError or msgspec.ValidationError."""
        settings_file.save(self.home.settings, settings)
        self.settings.set(settings)

    async def _find_hardware(self) -> None:
        self.hardware.set(await anyio.to_thread.run_sync(detect, self.home.path))

    async def _read_meters(self) -> None:
        while True:
            await anyio.sleep(METER_SECONDS)
            self.meters.set(meters.read(self.home.path))

    async def _watch_datasets(self) -> None:
        """Commands that mend or delete datasets write their folders themselves; the list follows."""
        seen = self.home.datasets.stat().st_mtime_ns
        while True:
            await anyio.sleep(METER_SECONDS)
            if (now := self.home.datasets.stat().st_mtime_ns) != seen:
                seen = now
                self.datasets.set(tuple(await anyio.to_thread.run_sync(list_datasets, self.home.datasets)))

    async def _known_hardware(self) -> Hardware:
        async for hardware in self.hardware.watch():
            if hardware is not None:
                return hardware
        raise AssertionError("a topic's watch does not end")

    @staticmethod
    def path(words: str) -> Path:
        """A path as people write it."""
        return Path(words).expanduser().absolute()

    def samples(self) -> tuple[Path, ...]:
        """The datasets that come with the app."""
        folder = Path(str(files("assets") / "samples"))
        return tuple(sorted(path for path in folder.iterdir() if path.suffix in (".csv", ".jsonl", ".parquet")))

    async def inspect_data(self, path: Path, mapping: Mapping | None = None) -> Inspection:
        """What a data file would become. Raises DataError."""
        return await data.inspect_file(path, Limits.from_settings(self.settings.value), mapping)

    async def import_data(
        self,
        source: Path | Sequence[Path],
        name: str = "",
        mapping: Mapping | None = None,
        *,
        split: SplitPlan | None = None,
        text_rows: TextRows = "auto",
        on_progress: Callable[[data.Progress], None] | None = None,
    ) -> Dataset:
        """Import a file, a folder, or several files as one dataset, and publish the new list. Raises StudioError."""
        dataset = await data.import_file(
            self.home.datasets,
            source,
            name=name,
            mapping=mapping,
            limits=Limits.from_settings(self.settings.value),
            split=split,
            text_rows=text_rows,
            on_progress=on_progress,
        )
        self.datasets.set(tuple(list_datasets(self.home.datasets)))
        return dataset

    async def fix_data(self, dataset_id: str, *steps: Step) -> Dataset:
        """Make a new version of a dataset with these steps done, and publish the new list. Raises StudioError."""
        dataset = await data.fix(self.home.datasets, dataset_id, steps)
        self.datasets.set(tuple(list_datasets(self.home.datasets)))
        return dataset

    async def preview(
        self,
        dataset_id: str,
        model_path: Path,
        max_length: int,
        split: Split = "train",
        start: int = 0,
        count: int = 10,
    ) -> tuple[PreviewRow, ...]:
        """Rows as the model will see them, from the very bytes it is trained on. Raises StudioError."""
        header = await self._prepare(dataset_id, model_path, max_length)
        return await data.preview(self.home.prepared / header, model_path, split, start, count)

    async def _prepare(self, dataset_id: str, model_path: Path, max_length: int, objective: str | None = None) -> str:
        dataset = load_dataset(self.home.datasets, dataset_id)
        layout = LAYOUTS.get(objective, dataset.layout) if objective else dataset.layout
        folder = self.home.datasets / dataset.id
        return (await data.prepare(folder, model_path, max_length, self.home.prepared, layout)).hash

    def profiles(self) -> tuple[Profile, ...]:
        """What a model can be tuned for."""
        return profiles()

    def models(self) -> FoundModels:
        """The starter model and every model folder in the Home, and those that cannot be used."""
        return find_models(self.home.models, starter_path())

    def model(self, words: str) -> BaseModel:
        """A model by name, or by the path of its folder. Raises ModelError."""
        for model in self.models().models:
            if words in (model.name, model.path):
                return model
        return read_base_model(starter_path() if words == "starter" else self.path(words))

    async def facts(
        self, dataset_id: str, model: BaseModel, max_length: int, objective: str | None = None
    ) -> DataFacts:
        """Count a dataset in the model's own tokens (prepared once, then cached). Raises StudioError."""
        dataset = load_dataset(self.home.datasets, dataset_id)
        prepared = await self._prepare(dataset.id, Path(model.path), max_length, objective)
        return DataFacts.from_header(read_header(self.home.prepared / prepared), dataset.name)

    async def draft(self, order: orders.Order) -> Draft:
        """The user's words made a draft: dataset and model found, data counted. Raises StudioError."""
        await self._known_hardware()
        model = self.model(order.model)
        dataset = load_dataset(self.home.datasets, order.dataset)
        kind = order.profile or profile_for(dataset.shape).id
        length = min(model.context, profile(kind).dials.context)
        draft = Draft(
            name=order.name or dataset.name,
            profile=kind,
            model=model,
            data=await self.facts(dataset.id, model, length, order.objective or None),
            method=method_of(order.method),
            objective=order.objective or None,
            edits=order.edits,
        )
        return await self.settled(draft)

    async def settled(self, draft: Draft) -> Draft:
        """The draft with its data counted at the context length that its own plan asks for. Raises StudioError."""
        length = self.plan(draft).training.max_length
        if length == draft.data.prepared_length:
            return draft
        facts = await self.facts(draft.data.dataset, draft.model, length, draft.objective)
        edits = {**draft.edits, "max_length": length}  # or fewer rows could ask for yet another length
        return msgspec.structs.replace(draft, data=facts, edits=edits)

    def plan(self, draft: Draft) -> Plan:
        """Everything decided, with reasons. Quick; the hardware is what was found at start.

        The estimate is corrected by what similar runs took here.
        """
        hardware = self.hardware.value or detect(self.home.path)
        return plan(draft, hardware, Means(calibration=self._calibration(draft, hardware)))

    def _calibration(self, draft: Draft, hardware: Hardware) -> Calibration | None:
        device = hardware.gpu.name if hardware.gpu else hardware.cpu or "processor"
        kind = method_facts(draft.method or profile(draft.profile).dials.method).kind
        return self.calibrations.of(device, kind, draft.model.parameters)

    async def start(self, draft: Draft) -> str:
        """Queue a draft as a run and return its id. Data is prepared again first where the plan needs that.

        Raises PlanError when something stands against starting.
        """
        spec, expected = self.runnable(await self.settled(draft))
        return self.runs.add(spec, expected=expected)

    def runnable(self, draft: Draft) -> tuple[RunSpec, Expectation]:
        """A settled draft made runnable, and what it is expected to need. Raises PlanError."""
        hardware = self.hardware.value or detect(self.home.path)
        planned = self.plan(draft)
        refuse_unready(planned)
        spec = to_spec(
            planned,
            draft.model.ref,
            draft.data.ref(str(self.home.prepared / draft.data.prepared)),
            id=new_id(draft.name),
            created=time.time(),
            threads=self._threads(),
        )
        expected = expectation_of(
            planned.estimate,
            on_gpu=hardware.gpu is not None,
            method=method_name(planned.method),
            parameters=draft.model.parameters,
            calibration=self._calibration(draft, hardware),
        )
        return spec, expected

    async def start_sweep(self, wish: orders.StartSweep) -> Sweep:
        """Plan and queue a run for each combination of settings, all or none. Raises StudioError naming the one."""
        return await start_sweep(self, wish)

    async def stop_sweep(self, words: str) -> tuple[str, ...]:
        """Stop what is left of a sweep and return those runs. Raises RunError."""
        return await stop_sweep(self, words)

    def _threads(self) -> int:
        hardware = self.hardware.value
        return self.settings.value.threads or (min(hardware.cores, hardware.threads) if hardware else 1)

    def tell(self, words: str, verb: Literal["pause", "resume", "accept", "stop", "save"]) -> str:
        """Pause, resume, stop or save a run by id or name; `accept` resumes as the run proposed. Returns its id.

        Raises RunError.
        """
        run_id = self.runs.find(words).id
        {
            "pause": self.runs.pause,
            "resume": self.runs.resume,
            "accept": partial(self.runs.resume, accept=True),
            "stop": self.runs.stop,
            "save": self.runs.checkpoint_now,
        }[verb](run_id)
        return run_id

    async def _after_run(self, view: RunView) -> None:
        """What follows the end of a run: a trained one is read and becomes a version, an evaluation its verdict."""
        folder = RunFolder(self.home.runs / view.id)
        if view.kind == "train" and view.state in (RunState.COMPLETED, RunState.STOPPED):
            await note_end(folder, view, self.runs.list.value, self.calibrations)
            await anyio.to_thread.run_sync(keep_version, self.versions_folder, folder, view)
        elif view.kind == "evaluate" and view.state is RunState.COMPLETED:
            await keep_verdict(self.versions_folder, folder, self.home.datasets)
        self.versions.set(self.versions_folder.all())

    async def evaluate(self, version_id: str) -> str:
        """Queue the evaluation of a version beside its base on the held-out rows; returns the run's id."""
        version = self.versions_folder.find(version_id)
        job = evaluation_job(self.versions_folder, version)
        return self.runs.add(self._spec(f"evaluate {version.name} {version.number}", job))

    def _spec(self, name: str, job: EvaluateJob | HostJob) -> RunSpec:
        return RunSpec(
            format=FORMAT,
            id=new_id(name),
            name=name,
            created=time.time(),
            threads=self._threads(),
            processes=1,
            priority=0,
            job=job,
        )

    def evaluation(self, version_id: str) -> Evaluation | None:
        """A version's evaluation, once there is one."""
        return self.versions_folder.evaluation(self.versions_folder.find(version_id))

    def host_run(self, model_path: Path) -> RunFolder:
        """The run of the host that holds this base model; started when none does."""
        for view in self.runs.list.value:
            if view.kind == "host" and (view.state.active or view.state is RunState.CREATED):
                folder = RunFolder(self.home.runs / view.id)
                job = folder.spec().job
                if isinstance(job, HostJob) and Path(job.model.path) == model_path:
                    return folder
        model = read_base_model(model_path)
        job = HostJob(
            model=model.ref,
            adapters=(),
            precision="fp32" if model.parameters < 500_000_000 else "bf16",
            idle_seconds=self.settings.value.idle_host_seconds,
        )
        return RunFolder(self.home.runs / self.runs.add(self._spec(f"host {model.name}", job)))

    async def open_host(self, model_path: Path) -> HostSession:
        """A session with the host of this base model. Raises StudioError."""
        from engine.data.prompting import Prompter

        prompter = await anyio.to_thread.run_sync(Prompter, model_path)
        folder = self.host_run(model_path)
        session = await connect(folder, folder.spec().name.removeprefix("host "), prompter)
        self._group.start_soon(session.serve)
        return session

    async def examples(self, version_id: str, count: int = 3) -> tuple[str, ...]:
        """Prompts to try: the first held-out questions of the version's dataset."""
        version = self.versions_folder.find(version_id)
        return await anyio.to_thread.run_sync(first_questions, self.home.datasets, version.dataset_id, count)
