"""A small engine for the screens' tests: real values, real run folders, no worker and no store."""

from __future__ import annotations

import math
import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import psutil

from engine.core.topics import Topic
from engine.data.nouns import Message
from engine.runs.follow import LiveRun
from engine.runs.views import RunView
from engine.serving.host import USUAL, HostInfo, Token, gone
from engine.spec import ring
from engine.spec.answers import Answering
from engine.spec.files import LineWriter, write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Action, Card, Event, LaunchRecord, Live, MetricLine, RunState, StateRecord
from engine.spec.runspec import RunSpec, TrainJob
from tests.making import run_folder, train_spec


class FakeRuns:
    """Runs as folders; verbs are noted, not carried out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.list: Topic[tuple[RunView, ...]] = Topic(())
        self.asked: list[tuple[str, str]] = []
        self._live: dict[str, LiveRun] = {}

    def make(
        self,
        name: str,
        state: RunState,
        *,
        steps: int = 0,
        total: int = 200,
        error: Card | None = None,
        age: float = 0.0,
        model: Path = Path("/models/starter"),
        dataset: str = "d",
    ) -> RunFolder:
        """A run with `steps` steps behind it, in a state."""
        spec = train_spec(model, Path("/prepared/x"))
        assert isinstance(spec.job, TrainJob)
        data = msgspec.structs.replace(spec.job.data, dataset=dataset)
        job = msgspec.structs.replace(spec.job, total_steps=total, data=data)
        run_id = f"run-{len(self.list.value) + 1}"
        spec = msgspec.structs.replace(spec, id=run_id, name=name, job=job, created=time.time() - age)
        folder = run_folder(self._folder / run_id, spec)
        me = psutil.Process()
        launch = LaunchRecord(
            attempt=0, pid=os.getpid(), process_started=me.create_time(), host="here", time=spec.created, threads=2
        )
        write_struct(folder.launch_file, launch)
        folder.write_state(StateRecord(state=state, step=steps, total_steps=total, error=error))
        write_steps(folder, 1, steps)
        self.refresh(run_id)
        return folder

    def add(self, spec: RunSpec, **_: object) -> str:
        """Write a run down as waiting."""
        folder = run_folder(self._folder / spec.id, spec)
        folder.write_state(StateRecord(state=RunState.CREATED, step=0, total_steps=0))
        self.refresh(spec.id)
        return spec.id

    def refresh(self, run_id: str) -> None:
        """Publish the run's view again."""
        live = self.live(run_id)
        live._next_state = 0.0
        live.poll()
        others = [view for view in self.list.value if view.id != run_id]
        self.list.set(tuple(sorted([*others, live.view.value], key=lambda view: -view.created)))

    def live(self, run_id: str) -> LiveRun:
        if run_id not in self._live:
            self._live[run_id] = LiveRun(RunFolder(self._folder / run_id))
        return self._live[run_id]

    def pause(self, run_id: str) -> None:
        self.asked.append(("pause", run_id))

    def resume(self, run_id: str, *, accept: bool = False) -> None:
        self.asked.append(("accept" if accept else "resume", run_id))

    def change(self, run_id: str, live: Live) -> None:
        words = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in live.changes().items())
        self.asked.append((words, run_id))

    def stop(self, run_id: str) -> None:
        self.asked.append(("stop", run_id))

    async def delete(self, run_id: str) -> None:
        self.asked.append(("delete", run_id))
        self.list.set(tuple(view for view in self.list.value if view.id != run_id))

    def checkpoint_now(self, run_id: str) -> None:
        self.asked.append(("checkpoint_now", run_id))


def write_steps(folder: RunFolder, first: int, last: int) -> None:
    """Metric lines of steps `first` to `last`, falling as losses do."""
    lines = LineWriter(folder.metrics_file)
    events = LineWriter(folder.events_file)
    writer = ring.RingWriter(folder.ring_file)
    now = time.time()
    for step in range(first, last + 1):
        loss = 0.6 + 1.9 * math.exp(-step / 60) + 0.12 * math.sin(step * 1.7) * math.exp(-step / 120)
        values: dict[str, float | str] = {"loss": loss, "tokens_per_second": 2300.0, "worker_memory": 6.1e8}
        if step % 20 == 0:
            values["validation_loss"] = loss + 0.08
            events.write(Event(kind="checkpoint", time=now, step=step, message=f"Saved the state at step {step}."))
        when = now - (last - step) * 0.25
        lines.write(MetricLine(attempt=0, step=step, time=when, values=values))
        for name, value in values.items():
            writer.write(name, step, float(value), when)
    writer.close()
    lines.close()
    events.close()


EXPLODED = Card(
    what="Gradients exploded at step 70.",
    why="The gradient was 212 times its usual length. The run is paused; nothing is lost.",
    actions=(
        Action(label="Resume from step 60 at half the learning rate.", do="roll-back"),
        Action(label="Halve the learning rate and go on.", do="lower-rate"),
        Action(label="Look at the rows of this step.", do="show-rows"),
    ),
    code="gradient-explosion",
)


def write_healing(folder: RunFolder, proposed: Card = EXPLODED, attempt: int = 0) -> None:
    """A run that noticed something twice, cut one gradient itself, and then asked."""
    now = time.time()
    lines = LineWriter(folder.events_file)
    what, why = "The gradient of step 30 exploded.", "It was 40 times its usual length."
    numbers = {"gradient norm": 48.2, "usual gradient norm": 1.21, "memory there (bytes)": 24e9}
    facts: dict[str, Any] = {"name": "gradient-explosion", "level": "warning", "why": why, **numbers}
    lines.write(Event(kind="anomaly", time=now - 9, step=30, message=what, facts=facts))
    cut = "The gradient of step 30 was cut to 1.3, the most that is usual."
    facts = {"remedy": "clip", "limit": 1.3}
    lines.write(Event(kind="recovery", time=now - 9, step=30, message=cut, facts=facts))
    facts = {"name": proposed.code, "level": "serious", "why": proposed.why, "gradient norm": 256.0}
    lines.write(Event(kind="anomaly", time=now, step=70, message=proposed.what, facts=facts))
    said = f"{proposed.what} {' '.join(each.label for each in proposed.actions)}"
    lines.write(Event(kind="proposal", time=now, step=70, message=said, facts={"why": proposed.why}))
    lines.close()
    asked = {"attempt": attempt, "card": msgspec.to_builtins(proposed), "changes": [], "roll_back_to": 60}
    folder.proposal_file.write_bytes(msgspec.json.encode(asked))


def write_preferences(folder: RunFolder, steps: int) -> None:
    """The numbers of a run that learns to prefer."""
    lines, writer = LineWriter(folder.metrics_file), ring.RingWriter(folder.ring_file)
    for step in range(1, steps + 1):
        values: dict[str, float | str] = {"preference_accuracy": 0.5 + step / 400, "preference_margin": step / 100}
        if step % 20 == 0:
            values |= {"validation_preference_accuracy": 0.71, "validation_preference_margin": 0.4}
        lines.write(MetricLine(attempt=0, step=step, time=time.time(), values=values))
        for name, value in values.items():
            writer.write(name, step, float(value), time.time())
    writer.close()
    lines.close()


class FakeHost:
    """A model that answers a few fixed words, the tuned one other than the base."""

    def __init__(self) -> None:
        self.open = True
        self.info: Topic[HostInfo] = Topic(HostInfo(model="starter", memory=500_000_000))
        self.asked: list[tuple[str, str | None, float]] = []
        self.read: list[tuple[Message, ...]] = []
        self.answering: list[Answering] = []
        self.go_on = anyio.Event()
        self.go_on.set()
        self.says: str | None = None
        self.dies_after = 0
        """Words after which it is gone, as if it had been killed; 0: never."""

    async def attach(self, name: str, path: Path, *, whole: bool = False) -> float:
        adapters = (*self.info.value.adapters, name)
        self.info.set(HostInfo(model="starter", held="32 bits", memory=510_000_000, adapters=adapters))
        return 0.02

    async def generate(
        self,
        messages: tuple[Message, ...],
        *,
        adapter: str | None = None,
        answering: Answering = USUAL,
    ) -> AsyncGenerator[Token]:
        self.asked.append((messages[-1].content, adapter, answering.temperature))
        self.read.append(messages)
        self.answering.append(answering)
        words = ["We ", "have ", "plums."] if adapter else ["I ", "am ", "a base."]
        if self.says is not None:
            words = [self.says]
        for place, word in enumerate(words, start=1):
            yield Token(text=word)
            await self.go_on.wait()
            if place == self.dies_after:
                self.open = False
            if not self.open:
                raise gone()
        yield Token(
            done=True, ended="end", tokens=3, tokens_per_second=42.0, first_token_seconds=0.1, memory=520_000_000
        )
