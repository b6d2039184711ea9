"""A run that is being watched: its view, its series, its events and its log, as they grow.

Numbers come from the ring, ten times a second; what a slow reader lost there, and everything from before it looked,
comes from `metrics.jsonl`, so that no point is missed however late or often one attaches. Files are read in pieces,
so that the app goes on answering meanwhile.
"""

from __future__ import annotations

import math
import time
from itertools import pairwise
from pathlib import Path

import msgspec

from engine.core.topics import Feed, Topic
from engine.monitor.proposal import Proposal
from engine.runs.summary import asking, judged, proposed, static_view, with_notes
from engine.runs.views import Eta, RunView, Series
from engine.spec import ring
from engine.spec.files import LineReader
from engine.spec.folder import RunFolder
from engine.spec.records import METRICS, Event, MetricLine, RunState, Sample
from engine.spec.runspec import RunSpec, TrainJob

STATE_SECONDS = 0.5
PIECE = 400_000
"""Bytes of a file that one look takes in: about ten milliseconds' work."""
SPEED_WINDOW = 50
LONG_GAP, FAR_LONGER = 120.0, 50.0
"""A gap between steps that is longer than this, in seconds and in usual gaps, is no step's."""


class CheckpointView(msgspec.Struct, frozen=True, kw_only=True):
    """A saved state as a list shows it. `loss` is the validation loss measured at that step, if any."""

    step: int
    time: float
    bytes: int
    loss: float | None
    best: bool


class _CheckpointHead(msgspec.Struct, frozen=True):
    step: int
    validation_loss: float | None = None


class LiveRun:
    """One run, followed. Topics and feeds are updated by `poll`, which the engine calls while somebody watches."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.spec: RunSpec = folder.spec()
        self.view: Topic[RunView] = Topic(static_view(self.spec))
        self.changed: Topic[int] = Topic(0)
        self.series: dict[str, Series] = {name: Series() for name in METRICS}
        self.events: Feed[Event] = Feed()
        self.log: Feed[str] = Feed()
        self.lapped = 0
        self.torn = 0
        self._metric_lines = LineReader(folder.metrics_file, MetricLine)
        self._event_lines = LineReader(folder.events_file, Event)
        self._log_offset = 0
        self._ring: ring.RingReader | None = None
        self._next_state = 0.0
        self.poll()

    def poll(self) -> None:
        """Take in whatever is new. Costs microseconds when nothing is."""
        news = self._take_numbers()
        if news or time.monotonic() >= self._next_state:
            self._next_state = time.monotonic() + STATE_SECONDS
            self._take_words()
            self._refresh()
        if news:
            self.changed.set(self.changed.value + 1)

    def proposal(self) -> Proposal | None:
        """What the attempt at work proposes; None when it asks nothing."""
        return proposed(self.folder, self.view.value.attempt)

    @property
    def behind(self) -> bool:
        """There is more to take in at once: the next look should come soon."""
        return self._metric_lines.behind

    def _take_numbers(self) -> bool:
        if self._ring is None:
            return self._attach()
        if self.behind:
            return self._read_file() > 0
        batch = self._ring.read()
        for sample in batch.samples:
            self._add(sample)
        if batch.lapped or batch.torn:
            self.lapped += batch.lapped
            self.torn += batch.torn
            self._read_file()
        return bool(batch.samples or batch.lapped)

    def _attach(self) -> bool:
        """First look: the ring's end is noted before the file is read, so that nothing falls in between."""
        try:
            reader = ring.RingReader(self.folder.ring_file)
            reader.cursor = reader.pulse().count
            self._ring = reader
        except (OSError, ring.RingDamaged):
            self._ring = None  # not made yet, or damaged: the file has every number
        return self._read_file() > 0

    def _read_file(self) -> int:
        lines = self._metric_lines.read(PIECE)
        for line in lines:
            for sample in line.samples():
                self._add(sample)
        return len(lines)

    def _add(self, sample: Sample) -> None:
        self.series[sample.metric].add(sample.step, sample.value, sample.time, sample.attempt)

    def _take_words(self) -> None:
        self.events.extend(self._event_lines.read())
        try:
            with self.folder.log_file.open("rb") as file:
                file.seek(self._log_offset)
                data = file.read(1_000_000)
        except FileNotFoundError:
            return
        end = data.rfind(b"\n") + 1
        self._log_offset += end
        self.log.extend(data[:end].decode(errors="replace").splitlines())

    def _refresh(self) -> None:
        state, launch = self.folder.state(), self.folder.launch()
        judgement, error = judged(self.folder, state, launch)
        loss = self.series["loss"]
        validation = self.series["validation_loss"]
        step = max(state.step, loss.steps[-1] if len(loss) else 0)
        before = with_notes(self.view.value, self.folder, state)
        progress = self.series["progress"]
        if len(progress):
            step = max(step, progress.steps[-1])
        best = min((v for v in validation.values if not math.isnan(v)), default=before.best_validation)
        asks, asked = asking(self.folder, judgement, launch)
        updated = max(state.time, loss.times[-1] if len(loss) else 0.0) or before.created
        self.view.set(
            msgspec.structs.replace(
                before,
                state=judgement,
                error=error,
                asks=asks,
                asked=asked,
                attempt=launch.attempt if launch else 0,
                step=step,
                total_steps=state.total_steps or before.total_steps,
                updated=updated,
                loss=loss.last,
                validation_loss=validation.last,
                best_validation=best,
                tokens_per_second=self.series["tokens_per_second"].last,
                memory=self.series["worker_memory"].last,
                eta=self._eta(judgement, step),
                seconds=max(0.0, updated - launch.time) if launch else 0.0,
                message=self.events.since(self.events.end - 1)[-1].message if self.events.end else "",
            )
        )

    def _eta(self, state: RunState, step: int) -> Eta | None:
        """Time left from the last steps' wall-clock spacing; the interval is that of their mean's error."""
        if state is not RunState.RUNNING or not isinstance(self.spec.job, TrainJob):
            return None
        return estimate_eta(self.series["loss"], self.spec.job.total_steps - step)

    def checkpoints(self) -> tuple[CheckpointView, ...]:
        """Saved states, newest first, the best marked."""
        found = [self._checkpoint(path) for path in self.folder.checkpoint_folders()]
        best = min((each.loss for each in found if each.loss is not None), default=None)
        return tuple(
            msgspec.structs.replace(each, best=each.loss is not None and each.loss == best) for each in reversed(found)
        )

    def _checkpoint(self, path: Path) -> CheckpointView:
        try:
            head = msgspec.json.decode((path / "checkpoint.json").read_bytes(), type=_CheckpointHead)
        except (OSError, msgspec.MsgspecError):
            head = _CheckpointHead(step=int(path.name.removeprefix("step-")))
        size = sum(file.stat().st_size for file in path.glob("*") if file.is_file())
        made = path.stat().st_mtime if path.exists() else 0.0
        return CheckpointView(step=head.step, time=made, bytes=size, loss=head.validation_loss, best=False)


def _steady(gaps: list[float]) -> list[float]:
    """The gaps without those that no step took: the clock was set, or the machine slept."""
    usual = sorted(gaps)[len(gaps) // 2] if gaps else 0.0
    return [gap for gap in gaps if 0 <= gap <= max(LONG_GAP, FAR_LONGER * usual)]


def estimate_eta(loss: Series, steps_left: int) -> Eta | None:
    """Seconds left, with a 90 % interval, from the times of the newest steps; None before there are four of them."""
    gaps = _steady([later - earlier for earlier, later in pairwise(list(loss.times[-SPEED_WINDOW:]))])
    if len(gaps) < 3:
        return None
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1))
    # The steps still to come scatter (sqrt of their number), and the mean itself is only known to its own error.
    error = 1.645 * spread * math.sqrt(steps_left + steps_left**2 / len(gaps))
    expected = mean * steps_left
    return Eta(max(0.0, expected - error), expected, expected + error)
