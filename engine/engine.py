"""Engine: opens a Home, starts the task group, owns the parts; the one door for every face.

Plain Python and anyio. It never calls a face: it publishes topics, and the faces' own tasks watch them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import anyio
import anyio.abc
import anyio.to_thread

from engine import orders
from engine.benchmarking import Benchmarks
from engine.core import settings as settings_file
from engine.core.home import Home
from engine.core.recent import relieve
from engine.core.settings import Settings
from engine.core.store import Store
from engine.core.topics import Topic
from engine.desk import Desk
from engine.exports import Exports
from engine.holding import hold
from engine.hosts import Hosts
from engine.judging import Judging
from engine.library import Library
from engine.outcomes import Outcomes
from engine.plan.planner import Draft, Plan
from engine.planning import Planning
from engine.playground import Playground
from engine.probing import probe
from engine.reproducing import reproduce
from engine.runs import drafts, index, meters
from engine.runs.calibrating import Calibrations
from engine.runs.meters import Meters
from engine.runs.runs import Runs
from engine.runs.sweeps import Sweep, Sweeps
from engine.serving import conversations
from engine.storage import Storage
from engine.sweeping import start_sweep, stop_sweep

METER_SECONDS = 2.0
LEISURE_SECONDS = 3.0
"""After opening, until nobody waits for a first screen any more."""
MIGRATIONS = (*index.MIGRATIONS, *drafts.MIGRATIONS, *conversations.MIGRATIONS)


class Engine:
    """One open Home. Use `async with Engine.open(path) as engine`.

    Its parts, in the order of the user's journey: `library` (datasets), `planning` (models, plans), `drafts` (what is
    not started yet), `runs` and `sweeps`, `outcomes` (versions, evaluations), `hosts` (models in memory), `benchmarks`
    (public tasks), `playground` (conversations), `judging` (models as judges), `exports` (versions in other forms),
    `storage` (what it all takes on the disk).
    """

    def __init__(self, home: Home, store: Store, role: str, group: anyio.abc.TaskGroup) -> None:
        self.home = home
        self.role = role
        self.leaving = anyio.Event()
        self.settings: Topic[Settings] = Topic(settings_file.load(home.settings))
        self.meters: Topic[Meters] = Topic(meters.read(home.path))
        calibrations = Calibrations(home.path, home.runs)
        self.library = Library(home, self.settings)
        self.planning = Planning(home, self.settings, self.library, calibrations)
        self.runs = Runs(home.runs, store, lambda: self.settings.value.concurrent_runs)
        self.sweeps = Sweeps(home.path, home.runs)
        self.drafts = drafts.Drafts(store, home.path / drafts.COPY)
        self.outcomes = Outcomes(home, self.library, self.runs, self.planning, calibrations)
        self.hosts = Hosts(home, self.settings, self.runs, self.planning, group)
        self.storage = Storage(home)
        self.benchmarks = Benchmarks(home, self.runs, self.planning, self.outcomes)
        self.exports = Exports(home, self.runs, self.planning, self.outcomes)
        self.playground = Playground(home, store, self.library, self.outcomes, self.hosts, group.start_soon)
        self.judging = Judging(home, self.outcomes, self.playground, group.start_soon)
        self._group = group
        self._desk = Desk(self, role, self.leaving.set)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path | None = None, role: str = "app") -> AsyncIterator[Engine]:
        """Hold a Home and open it. A keeper gives way to an app. Raises HomeError, or HomeHeld when an app has it."""
        async with hold(path, role) as home, cls.of(home, role) as engine:
            yield engine

    @classmethod
    @asynccontextmanager
    async def of(cls, home: Home, role: str = "app") -> AsyncIterator[Engine]:
        """Open a Home that is held."""
        store = await anyio.to_thread.run_sync(Store, home.database, MIGRATIONS)
        try:
            async with anyio.create_task_group() as group:
                engine = cls(home, store, role, group)
                await engine._start()
                yield engine
                group.cancel_scope.cancel()
        finally:
            await anyio.to_thread.run_sync(store.close)

    async def _start(self) -> None:
        self.runs.on_end += [self.outcomes.after_run, self.exports.after_run, self.judging.after_run]
        await self.runs.open()
        await self.playground.kept.open()
        await self.drafts.open()
        self._group.start_soon(self.runs.serve)
        self._group.start_soon(self._at_leisure)
        self._group.start_soon(self._desk.serve)
        if self.role == "app":
            self._group.start_soon(self._read_meters)
            self._group.start_soon(self.library.watch_folder)
        self._group.start_soon(self.planning.watch_hardware)

    @property
    def busy(self) -> bool:
        """Something goes on that needs a holder: a run, a queue, or a command."""
        return self.runs.busy or self._desk.at_work > 0

    def save_settings(self, settings: Settings) -> None:
        """Keep and publish the settings. Raises StudioError or msgspec.ValidationError."""
        settings_file.save(self.home.settings, settings)
        self.settings.set(settings)

    async def _at_leisure(self) -> None:
        """What may wait until the first screen stands, for it goes through the folders of all runs."""
        if self.role == "app":
            await anyio.sleep(LEISURE_SECONDS)
        await self.runs.look_again()
        await self.outcomes.do_what_is_left()

    async def _read_meters(self) -> None:
        while True:
            await anyio.sleep(METER_SECONDS)
            self.meters.set(meters.read(self.home.path))
            relieve(meters.own_memory())

    async def start(self, draft: Draft) -> str:
        """Queue a draft as a run and return its id. Data is prepared again first where the plan needs that.

        Raises PlanError when something stands against starting.
        """
        spec, expected = self.planning.runnable(await self.planning.settled(draft))
        return self.runs.add(spec, expected=expected)

    async def probe(self, draft: Draft) -> Plan:
        """Time a draft's first steps here, then plan it again with that. Raises PlanError or RunError."""
        return await probe(self, draft)

    async def reproduce(self, capsule: Path) -> str:
        """Verify a capsule and queue its recipe again; returns the run's id. Raises StudioError."""
        return await reproduce(self, capsule)

    async def start_sweep(self, wish: orders.StartSweep) -> Sweep:
        """Plan and queue a run for each combination of settings, all or none. Raises StudioError naming the one."""
        return await start_sweep(self, wish)

    async def stop_sweep(self, words: str) -> tuple[str, ...]:
        """Stop what is left of a sweep and return those runs. Raises RunError."""
        return await stop_sweep(self, words)

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
