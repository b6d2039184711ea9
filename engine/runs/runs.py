"""All runs of a Home: the list, the queue, and the doors to follow one and to tell it something."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.to_thread
import msgspec

from engine.core.errors import RunError, StudioError, from_os, unexpected
from engine.core.recent import Recent
from engine.core.store import Store
from engine.core.topics import Topic
from engine.runs import index
from engine.runs.control import tell, wants_attempt
from engine.runs.ending import AT_ONCE, Ended, Endings
from engine.runs.follow import LiveRun
from engine.runs.launch import create, interpreter, launch, remove_run
from engine.runs.listing import Listing
from engine.runs.meters import room
from engine.runs.queue import Room, Turn, turns
from engine.runs.standing import Expectation, Standing, keep_expectation, keep_standing, standing
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from engine.spec.records import Action, Card, Live, RunState
from engine.spec.runspec import RunSpec

log = logging.getLogger(__name__)
SOON, BUSY_SECONDS = 0.005, 0.1
IDLE_SECONDS = 1.0
LIST_EVERY = 5
"""Busy ticks between two looks at runs nobody watches."""
KEPT = 16
"""Runs at rest that are followed on although nobody watches them, to be shown again at once."""


class Runs:
    """The runs of one Home. `serve` is the heart: it follows, judges, and launches what waits."""

    def __init__(self, folder: Path, store: Store, limit: Callable[[], int], memory: Callable[[], Room] = room) -> None:
        self._folder = folder
        self._store = store
        self._limit = limit
        self._memory = memory
        self._listing = Listing()
        self._live: WeakValueDictionary[str, LiveRun] = WeakValueDictionary()
        self._kept: Recent[str, LiveRun] = Recent(KEPT, lambda live: live.view.value.state.active)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._unlaunched: dict[str, Card] = {}
        self._believed: dict[str, int] = {}
        self._endings = Endings()
        self._wake = anyio.Event()
        self._changing = anyio.Lock()
        self.list: Topic[tuple[RunView, ...]] = Topic(())
        self.on_end: list[Ended] = self._endings.hearers

    async def open(self) -> None:
        """Read all runs, from the index where it can be trusted."""
        loaded = await index.load(self._store, self._folder)
        self._listing = Listing(loaded.views, loaded.states)
        self._believed = loaded.believed
        self._publish()

    async def look_again(self) -> None:
        """Read the runs whose files were changed in place: opening believed the index by their folders alone."""
        believed, self._believed = self._believed, {}
        for run_id in await anyio.to_thread.run_sync(index.outdated, self._folder, believed):
            async with self._changing:
                if run_id in self._listing and self.over(run_id):
                    log.info("the files of run %s were changed by somebody else", run_id)
                    await self._read_again(run_id)
        self._publish()

    async def _read_again(self, run_id: str) -> None:
        folder = self._folder / run_id
        if folder.exists():
            self._read(run_id)
            await index.save(self._store, folder, self._listing[run_id])
        else:
            self._listing.drop(run_id)
            await index.forget(self._store, run_id)

    def find(self, words: str) -> RunView:
        """A run by id, by the start of its id, by name (the newest so called), or `last`. Raises RunError."""
        return find_view(self.list.value, words)

    def folder(self, run_id: str) -> RunFolder:
        """The folder of a run. Raises RunError when there is none."""
        if run_id not in self._listing:
            self.find(run_id)
        return RunFolder(self._folder / run_id)

    def live(self, run_id: str) -> LiveRun:
        """Follow a run. The same follower serves every watcher; it is polled while the run is at work.

        Those that nobody watches are let go of, the longest unused first; one at work is always kept.
        """
        live = self._live.get(run_id)
        if live is None:
            live = self._live[run_id] = LiveRun(self.folder(run_id))
            self._stir()
        self._kept.use(run_id, live)
        return live

    @property
    def busy(self) -> bool:
        """Something is at work or waits its turn, or what follows an end is not all done."""
        return any(
            view.state.active or self._waits(view) or not self._listing.settled(view.id)
            for view in (*self._listing.unfinished, *self._listing.ended())
            if view.kind != "host"
        )

    def add(self, spec: RunSpec, *, expected: Expectation | None = None, sweep: str = "") -> str:
        """Put a run in the queue and return its id. Raises StudioError; without the libraries nothing is queued.

        `expected` is what its plan says that it needs, `sweep` the one that it belongs to.
        """
        interpreter()
        folder = create(self._folder, spec)
        try:
            if expected:
                keep_expectation(folder, expected)
            if sweep:
                keep_standing(folder, Standing(sweep=sweep))
        except OSError as error:
            raise from_os(error, "queueing the run") from error
        self._look(folder.id)
        self._stir()
        return folder.id

    def move(self, run_id: str, priority: int | None = None) -> int:
        """Give a waiting run another priority, or, without one, the first place; returns the priority it then has.

        Raises RunError when it does not wait.
        """
        self._demand(run_id, "moved in the queue", RunState.CREATED)
        if priority is None:
            others = (view.priority for view in self._waiting() if view.id != run_id)
            priority = max(others, default=-1) + 1
        folder = self.folder(run_id)
        try:
            keep_standing(folder, msgspec.structs.replace(standing(folder), priority=priority))
        except OSError as error:
            raise from_os(error, "moving the run in the queue") from error
        self._look(run_id)
        self._stir()
        return priority

    def pause(self, run_id: str) -> None:
        """Ask a run to save its state and leave memory. Raises RunError when it is not at work."""
        self._demand(run_id, "paused", RunState.INITIALIZING, RunState.RUNNING, RunState.CREATED)
        self._tell(run_id, pause=True)

    def stop(self, run_id: str) -> None:
        """Ask a run to end and keep what it has learned. A waiting one just leaves the queue."""
        self._demand(run_id, "stopped", RunState.INITIALIZING, RunState.RUNNING, RunState.CREATED)
        self._tell(run_id, stop=True)

    def checkpoint_now(self, run_id: str) -> None:
        """Ask a run to save its state after the current step."""
        self._demand(run_id, "saved", RunState.INITIALIZING, RunState.RUNNING)
        self._tell(run_id, checkpoint=True)

    def change(self, run_id: str, live: Live) -> None:
        """Give a running run other values from its next step on. Raises RunError for those that cannot be."""
        rate = live.learning_rate
        if rate is not None and not 0 < rate < 1:
            raise RunError("The learning rate was not changed.", f"{rate:g} is not between 0 and 1.", "Try 0.0001.")
        if any(steps is not None and steps < 1 for steps in (live.validate_every, live.checkpoint_every)):
            raise RunError("The interval was not changed.", "It is counted in whole steps, at least 1.", "Try 50.")
        self._demand(run_id, "changed", RunState.INITIALIZING, RunState.RUNNING)
        self._tell(run_id, live=live)

    def resume(self, run_id: str, *, accept: bool = False) -> None:
        """Queue the run's next attempt; it goes on from the last checkpoint, or, accepting, as the run proposed."""
        interpreter()
        view = self._look(run_id)
        self._unlaunched.pop(run_id, None)
        if not view.state.resumable:
            raise RunError(
                "This run cannot be resumed.",
                f"It is {view.state.value}; only paused, stopped, failed and lost runs can go on.",
                "Start a new run with the same settings.",
            )
        if self.folder(run_id).launch() is None:  # it was taken out of the queue before it began
            self.folder(run_id).control_file.unlink(missing_ok=True)
            self._look(run_id)
            self._stir()
        else:
            self._endings.give_up(run_id)
            self._listing.settle(run_id, None)
            self._tell(run_id, resume=True, accept=accept)

    async def delete(self, run_id: str) -> None:
        """Delete a run that is at rest, with all its files; a version made from it stays. Raises StudioError.

        A version that is just being made of it is made first; a verdict that nobody will ask for is given up.
        """
        at_rest = (state for state in RunState if not state.active and state is not RunState.CREATED)
        self._demand(run_id, "deleted", *at_rest)
        if self._listing[run_id].kind != "train":
            self._endings.give_up(run_id)
        await self._endings.over(run_id)
        async with self._changing:
            try:
                await anyio.to_thread.run_sync(remove_run, self.folder(run_id))
            except OSError as error:
                raise from_os(error, "deleting the run") from error
            self._kept.drop(run_id)
            self._listing.drop(run_id)
            self._live.pop(run_id, None)
            self._unlaunched.pop(run_id, None)
            await index.forget(self._store, run_id)
        self._publish()

    def _demand(self, run_id: str, done: str, *states: RunState) -> None:
        state = self._look(run_id).state
        if state not in states:
            actions = [Action(label="Resume it.", do="resume")] if state.resumable else []
            raise RunError(
                f"This run cannot be {done} now.", f"It is {state.value}.", *actions, "Look at `peft-studio runs`."
            )

    def _tell(
        self,
        run_id: str,
        *,
        pause: bool = False,
        stop: bool = False,
        checkpoint: bool = False,
        resume: bool = False,
        accept: bool = False,
        live: Live | None = None,
    ) -> None:
        tell(
            self.folder(run_id),
            pause=pause,
            stop=stop,
            checkpoint=checkpoint,
            resume=resume,
            accept=accept,
            live=live,
        )
        self._look(run_id)
        self._stir()

    def over(self, run_id: str) -> bool:
        """Whether a run has ended, and all that follows its end is done."""
        state = self._listing[run_id].state
        return not state.active and state is not RunState.CREATED and self._listing.settled(run_id)

    def end_again(self, run_id: str) -> None:
        """Do what follows the end of a run once more: it was cut off without a trace."""
        self._listing.settle(run_id, None)
        self._stir()

    async def serve(self) -> None:
        """Follow what is at work and launch what waits, until cancelled. Sleeps while there is nothing to do."""
        async with anyio.create_task_group() as group:
            await self._serve(group)

    async def _serve(self, group: anyio.abc.TaskGroup) -> None:
        tick = 0
        while True:
            tick += 1
            for live in list(self._live.values()):
                active = live.view.value.state.active or live.view.value.state is RunState.CREATED
                if active or live.behind or tick % LIST_EVERY == 0:
                    live.poll()
                    await anyio.lowlevel.checkpoint()
            if tick % LIST_EVERY == 1 or self._stirred:
                await self._look_at_unfinished(group)
                await self._fill_slots()
            await self._rest()

    async def _rest(self) -> None:
        active = bool(self._listing.working)
        behind = any(live.behind for live in self._live.values())
        with anyio.move_on_after(SOON if behind else BUSY_SECONDS if active else IDLE_SECONDS):
            await self._wake.wait()
        self._stirred = self._wake.is_set()
        if self._stirred:
            self._wake = anyio.Event()

    _stirred = True

    def _stir(self) -> None:
        self._wake.set()

    async def _look_at_unfinished(self, group: anyio.abc.TaskGroup) -> None:
        for run_id, process in list(self._children.items()):
            if process.poll() is not None:  # reaps it, so that it is seen to be gone
                del self._children[run_id]
        for view in self._listing.working:  # what waits changes by our own hand alone
            self._read(view.id)
        self._publish()
        for view in self._listing.changed:
            await self._settle(view)
        for view in self._listing.ended(2 * AT_ONCE):
            if self._endings.full:
                break
            if self._endings.at_work(view.id):
                continue
            if live := self._live.get(view.id):
                live.poll()
            self._endings.begin(group, view, partial(self._settle, view))

    async def _settle(self, view: RunView) -> None:
        """Index a run in its new state, once all that follows is done: what was cut off begins again another time."""
        async with self._changing:
            if view.id in self._listing:  # it may have been deleted meanwhile
                self._read(view.id)  # with what was noted at its end
                self._stir()
                now = self._listing[view.id]
                await index.save(self._store, self._folder / view.id, now if now.state is view.state else view)
                self._listing.settle(view.id, view.state)

    async def _fill_slots(self) -> None:
        for turn in self._turns():
            if not turn.why and wants_attempt(RunFolder(self._folder / turn.run.id)):
                await self._launch(turn.run.id)
        self._publish()

    def _turns(self) -> tuple[Turn, ...]:
        waiting = self._waiting()
        return turns(waiting, self._listing.working, self._limit(), self._memory()) if waiting else ()

    async def _launch(self, run_id: str) -> None:
        try:
            process, _record = await anyio.to_thread.run_sync(launch, RunFolder(self._folder / run_id))
            self._children[run_id] = process
        except (StudioError, OSError, ValueError) as error:
            log.exception("run %s could not be launched", run_id)
            self._unlaunched[run_id] = unexpected(error)
        self._look(run_id)

    def _waits(self, view: RunView) -> bool:
        return view.state is RunState.CREATED and view.id not in self._unlaunched

    def _waiting(self) -> list[RunView]:
        """Runs to launch."""
        return [view for view in self._listing.unfinished if self._waits(view)]

    def _look(self, run_id: str) -> RunView:
        """Read a run's folder and publish what changed."""
        self._read(run_id)
        self._publish()
        return self._listing[run_id]

    def _read(self, run_id: str) -> None:
        view = index.view_of(self.folder(run_id) if run_id in self._listing else RunFolder(self._folder / run_id))
        if card := self._unlaunched.get(run_id):
            view = msgspec.structs.replace(view, state=RunState.FAILED, error=card)
        self._listing.put(view)

    def _publish(self) -> None:
        places = {turn.run.id: (place, turn.why) for place, turn in enumerate(self._turns(), start=1)}
        for view in self._listing.unfinished:
            place, why = places.get(view.id, (None, ""))
            self._listing.put(msgspec.structs.replace(view, queue_position=place, waits_for=why))
        self.list.set(self._listing.newest_first())


def find_view(runs: Sequence[RunView], words: str) -> RunView:
    """The run these words mean, of runs that stand newest first. Raises RunError naming the choices."""
    if words == "last" and runs:
        return next((run for run in runs if run.kind == "train"), runs[0])
    exact = [run for run in runs if words in (run.id, run.name)]
    starting = [run for run in runs if run.id.startswith(words)] if words else []
    if found := exact or (starting if len(starting) == 1 else []):
        return found[0]
    if not runs:
        raise RunError(
            "There is no run yet.", "Nothing was fine-tuned in this Home.", "Start one: `peft-studio train DATASET`."
        )
    names = ", ".join(run.id for run in runs[:5])
    raise RunError(
        f"There is no run “{words}”.",
        f"The newest runs are: {names}.",
        "Look at `peft-studio runs`.",
        "Use `last` for the newest one.",
    )
