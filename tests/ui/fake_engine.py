"""A small engine for the screens' tests: the parts of engine.Engine that screens ask, in this process."""

from __future__ import annotations

import functools
from asyncio import Task, create_task
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.core.home import Home
from engine.core.settings import Settings
from engine.core.store import Row, Store, Value
from engine.core.topics import Topic
from engine.judging import Judging
from engine.library import Library
from engine.plan.hardware import Hardware
from engine.plan.models import BaseModel, FoundModels, find_models, read_base_model, starter_path
from engine.plan.planner import Draft, Plan, plan
from engine.plan.profiles import Profile, profiles
from engine.playground import Playground
from engine.results.evaluation import Evaluation
from engine.results.exports import Exported
from engine.results.versions import Version
from engine.runs import drafts
from engine.runs.drafts import Drafts
from engine.runs.meters import Meters
from engine.serving import conversations
from engine.spec.records import RunState
from engine.storage import Storage
from tests.ui.fakes import FakeHost, FakeRuns

HARDWARE = Hardware(
    gpus=(),
    cpu="a processor",
    cores=4,
    threads=4,
    memory_total=16_000_000_000,
    memory_free=10_000_000_000,
    disk_free=100_000_000_000,
    bf16=False,
    on_battery=None,
)


class FakePlanning:
    """Plans for one made-up machine."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.hardware: Topic[Any] = Topic(None)

    def profiles(self) -> tuple[Profile, ...]:
        return profiles()

    def models(self) -> FoundModels:
        return find_models(self._home.models, starter_path())

    def model(self, words: str) -> BaseModel:
        return read_base_model(Path(words))

    def plan(self, draft: Draft) -> Plan:
        return plan(draft, HARDWARE)


class _Folder:
    def __init__(self, outcomes: FakeOutcomes) -> None:
        self._outcomes = outcomes

    def find(self, words: str) -> Version:
        return next(each for each in self._outcomes.versions.value if each.id == words)

    @staticmethod
    def adapter(version: Version) -> Path:
        return Path("/versions") / version.id / "adapter"


class FakeOutcomes:
    """Versions and evaluations that the test sets."""

    def __init__(self, runs: FakeRuns) -> None:
        self._runs = runs
        self.folder = _Folder(self)
        self.versions: Topic[tuple[Version, ...]] = Topic(())
        self.changed: Topic[int] = Topic(0)
        self.evaluations: dict[str, Evaluation] = {}

    async def examples(self, version_id: str, count: int = 3) -> tuple[str, ...]:
        return ("Do you have plums?", "And pears?", "Thank you.")[:count]

    def evaluation(self, version_id: str) -> Evaluation | None:
        return self.evaluations.get(version_id)

    async def evaluate(self, version_id: str) -> str:
        version = next(each for each in self.versions.value if each.id == version_id)
        folder = self._runs.make(f"evaluate {version.name} {version.number}", RunState.RUNNING)
        others = [view for view in self._runs.list.value if view.id != folder.id]
        view = next(view for view in self._runs.list.value if view.id == folder.id)
        self._runs.list.set((msgspec.structs.replace(view, kind="evaluate"), *others))
        return folder.id


class FakeExports:
    """No exports, until a test furnishes the engine's own (tests/ui/results_home.py)."""

    def __init__(self) -> None:
        self.list: Topic[tuple[Exported, ...]] = Topic(())


class FakeHosts:
    """One host for every model, or a problem in its place."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.problem: Exception | None = None
        self.opened: list[Path] = []

    async def open(self, model_path: Path) -> FakeHost:
        self.opened.append(model_path)
        if self.problem is not None:
            raise self.problem
        return self.host


class LazyStore:
    """A database that is opened when something is first asked of it: most screens need none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @functools.cached_property
    def opened(self) -> Store:
        return Store(self._path, (*drafts.MIGRATIONS, *conversations.MIGRATIONS))

    @property
    def rebuilt(self) -> bool:
        return self.opened.rebuilt

    async def execute(self, sql: str, values: Sequence[Value] = ()) -> None:
        await self.opened.execute(sql, values)

    async def rows(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        return await self.opened.rows(sql, values)

    def close(self) -> None:
        """Close it, if it was opened at all."""
        if "opened" in self.__dict__:
            self.opened.close()


class FakeEngine:
    """What the screens ask of an engine. Parts a test needs are set by the test."""

    def __init__(self, folder: Path) -> None:
        self.home = Home.open(folder)
        self.settings: Topic[Settings] = Topic(Settings())
        self.meters: Topic[Meters] = Topic(
            Meters(cpu=0.34, memory_used=9_300_000_000, memory_total=25_000_000_000, disk_free=120_000_000_000)
        )
        self.library = Library(self.home, self.settings)  # the real one, in this process (tests/ui/conftest.py)
        self.planning: Any = FakePlanning(self.home)
        self.runs = FakeRuns(self.home.runs)
        self.outcomes: Any = FakeOutcomes(self.runs)
        self.hosts = FakeHosts()
        self.exports: Any = FakeExports()
        self.benchmarks: Any = None
        """The engine's own, once a test furnishes it (tests/ui/results_home.py)."""
        self.storage = Storage(self.home)
        self.store: Any = LazyStore(self.home.database)
        self.drafts = Drafts(self.store, self.home.path / drafts.COPY)
        self.started: list[Draft] = []
        self._tasks: set[Task[None]] = set()

    @functools.cached_property
    def playground(self) -> Playground:
        """The real one."""
        outcomes: Any = self.outcomes
        hosts: Any = self.hosts
        return Playground(
            self.home, self.store, self.library, outcomes, hosts, lambda run: self._tasks.add(create_task(run()))
        )

    @functools.cached_property
    def judging(self) -> Judging:
        """The real one."""
        outcomes: Any = self.outcomes
        return Judging(self.home, outcomes, self.playground, lambda run: self._tasks.add(create_task(run())))

    def save_settings(self, settings: Settings) -> None:
        self.settings.set(settings)

    async def start(self, draft: Draft) -> str:
        self.started.append(draft)
        return self.runs.make(draft.name, RunState.CREATED).id
