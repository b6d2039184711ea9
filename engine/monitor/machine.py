"""Detectors that read the machine: memory filling or leaking, speed collapsing, rows arriving late, heat."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from engine.monitor.anomaly import Anomaly, Do, Evidence, Kind, Level, action, number, size
from engine.monitor.observation import Observation
from engine.monitor.robust import Blocks, median
from engine.spec.records import Action

FULL = 0.9
FULL_FOR = 3
FULL_OVER = 0.85

CREEP_AFTER = 10
CREEP_BLOCKS = 8
CREEP_SHARE = 0.04
CREEP_BYTES = 32e6

SLOW_WINDOW = 8
SLOW = 0.4
SLOW_FOR = 12
SLOW_SECONDS = 10.0
SLOW_OVER = 0.6

WAIT_WINDOW = 16
WAITING = 0.3
WAITING_OVER = 0.15

HOT = 80.0
HOT_WINDOW = 8
COOL_CLOCK = 0.85
CLOCK_OVER = 0.93


def out_of_memory(step: int, micro_batch: int) -> Anomaly:
    """What the loop reports itself, when the allocator failed in `step` with micro-batches of this many rows."""
    return Anomaly(
        name=Kind.OUT_OF_MEMORY,
        level=Level.SERIOUS,
        step=step,
        began=step - 1,
        what=f"Memory ran out in step {step}, with {micro_batch} rows at once.",
        why="The longest rows of a step need the most memory. The step is computed again in smaller parts; what is "
        "learned stays the same.",
        evidence=(Evidence("micro-batch", micro_batch, "rows"),),
        actions=_memory_actions(),
        recovers=True,
    )


def _memory_actions() -> tuple[Action, ...]:
    return (
        action("Compute fewer rows at once; what is learned stays the same.", Do.SMALLER_MICRO_BATCH),
        action("Turn on activation checkpointing: about a third slower, much less memory.", Do.CHECKPOINT_ACTIVATIONS),
        action("Start again with QLoRA, whose weights take a quarter of the memory.", Do.QUANTIZE),
    )


class MemoryFull(msgspec.Struct, frozen=True):
    """More than 90 % of the device's memory is taken, 3 readings in a row; over when it is under 85 %."""

    full_for: int = 0
    told: bool = False

    def after(self, seen: Observation) -> tuple[MemoryFull, Anomaly | None]:
        if seen.memory_bytes is None or not seen.memory_limit:
            return self, None
        share = seen.memory_bytes / seen.memory_limit
        full_for = self.full_for + 1 if share > FULL else 0
        told = share > FULL_OVER if self.told else full_for >= FULL_FOR
        if full_for == self.full_for and told == self.told:
            return self, None
        return MemoryFull(full_for, told), _memory_full(seen, share) if told and not self.told else None


def _memory_full(seen: Observation, share: float) -> Anomaly:
    used, limit = seen.memory_bytes or 0.0, seen.memory_limit or 0.0
    return Anomaly(
        name=Kind.MEMORY_FULL,
        level=Level.WARNING,
        step=seen.step,
        began=seen.step - FULL_FOR,
        what=f"Memory is {share:.0%} full: {size(used)} of {size(limit)}.",
        why="A step with longer rows may not fit any more.",
        evidence=(Evidence("memory used", used, "bytes"), Evidence("memory there", limit, "bytes")),
        actions=_memory_actions(),
        recovers=True,
    )


class MemoryCreep(msgspec.Struct, frozen=True):
    """Memory that is never given back: the least use of each 10 readings rises, and goes on rising.

    Over 8 blocks all but one step up, none by half of the whole, by 4 % and 32 MB together, and the second half at no
    less than half the pace of the first: caches that fill at the start level off, and one large row is one step.
    """

    skipped: int = 0
    first: int = 0
    readings: int = 0
    blocks: Blocks = Blocks()
    told: bool = False

    def after(self, seen: Observation) -> tuple[MemoryCreep, Anomaly | None]:
        if seen.memory_bytes is None:
            return self, None
        if self.skipped < CREEP_AFTER:
            return MemoryCreep(self.skipped + 1, seen.step), None
        blocks, closed = self.blocks.after(seen.memory_bytes, least=True)
        creeps = self.told or (closed and _creeps(blocks.done[-CREEP_BLOCKS:]))
        now = MemoryCreep(self.skipped, self.first, self.readings + 1, blocks, creeps)
        return now, _memory_creep(now, seen) if creeps and not self.told else None


def _creeps(lows: tuple[float, ...]) -> bool:
    if len(lows) < CREEP_BLOCKS:
        return False
    rises = [after - before for before, after in pairwise(lows)]
    total = lows[-1] - lows[0]
    steady = sum(rise > 0 for rise in rises) >= CREEP_BLOCKS - 2 and max(rises) < 0.5 * total
    return steady and total > max(CREEP_SHARE * lows[0], CREEP_BYTES) and lows[7] - lows[4] >= 0.5 * (lows[3] - lows[0])


def _memory_creep(now: MemoryCreep, seen: Observation) -> Anomaly:
    lows = now.blocks.done[-CREEP_BLOCKS:]
    block = now.blocks.width * (seen.step - now.first) // now.readings
    steps = (CREEP_BLOCKS - 1) * block
    each = (lows[-1] - lows[0]) / steps
    left = None if not seen.memory_limit else max(0.0, seen.memory_limit - lows[-1]) / each
    end = "" if left is None else f" At this pace it is full in about {left:,.0f} steps."
    return Anomaly(
        name=Kind.MEMORY_CREEP,
        level=Level.WARNING,
        step=seen.step,
        began=max(0, seen.step - CREEP_BLOCKS * block),
        what=f"Memory use keeps growing: by {size(lows[-1] - lows[0])} over {steps} steps, to {size(lows[-1])}.",
        why=f"Training should need the same memory for every step; {size(each)} a step are not given back.{end}",
        evidence=(
            Evidence("memory now", lows[-1], "bytes"),
            Evidence("growth", each, "bytes per step"),
            *(() if left is None else (Evidence("full in", left, "steps"),)),
        ),
        actions=(
            action("Pause and resume the run: a new process begins with free memory.", Do.RESUME),
            action("Turn on activation checkpointing.", Do.CHECKPOINT_ACTIVATIONS),
            action("Save more checkpoints, so that little is lost if it ends."),
        ),
    )


class ThroughputCollapse(msgspec.Struct, frozen=True):
    """The run works at under 40 % of its usual speed (medians of 8 steps), for 12 steps in a row and 10 seconds.

    Over when it is above 60 %. Without `step_seconds` the 12 steps alone count.
    """

    recent: tuple[float, ...] = ()
    usual: Blocks = Blocks()
    slow_for: int = 0
    slow_seconds: float = 0.0
    told: bool = False

    def after(self, seen: Observation) -> tuple[ThroughputCollapse, Anomaly | None]:
        speed = seen.tokens_per_second
        if speed is None or not speed >= 0:
            return self, None
        recent = (*self.recent[1 - SLOW_WINDOW :], speed)
        if not self.usual.done:
            return ThroughputCollapse(recent, self.usual.after(speed)[0]), None
        now, usual = median(recent), median(self.usual.done)
        slow_for = self.slow_for + 1 if now < SLOW * usual else 0
        each = SLOW_SECONDS if seen.step_seconds is None else seen.step_seconds
        seconds = self.slow_seconds + each if slow_for else 0.0
        long = slow_for >= SLOW_FOR and seconds >= SLOW_SECONDS
        told = now < SLOW_OVER * usual if self.told else long
        blocks = self.usual if slow_for or told else self.usual.after(speed)[0]
        after = ThroughputCollapse(recent, blocks, slow_for, seconds, told)
        return after, _collapse(now, usual, seen.step) if told and not self.told else None


def _collapse(now: float, usual: float, step: int) -> Anomaly:
    return Anomaly(
        name=Kind.THROUGHPUT_COLLAPSE,
        level=Level.WARNING,
        step=step,
        began=step - SLOW_FOR,
        what=f"Training became slow: {number(now)} tokens a second, {now / usual:.0%} of the usual {number(usual)}.",
        why="Something else uses the machine, it saves power or protects itself from heat, or memory is being swapped.",
        evidence=(Evidence("speed now", now, "tokens/s"), Evidence("usual speed", usual, "tokens/s")),
        actions=(
            action("Close other programs that use the processor or the GPU."),
            action("Plug the machine in, and let it cool."),
            action("Pause the run and resume it later; nothing is lost.", Do.RESUME),
        ),
    )


class DataStarvation(msgspec.Struct, frozen=True):
    """More than 30 % of a step is spent waiting for its rows (median of 16 steps); over when it is under 15 %."""

    recent: tuple[float, ...] = ()
    told: bool = False

    def after(self, seen: Observation) -> tuple[DataStarvation, Anomaly | None]:
        if seen.data_wait_share is None:
            return self, None
        recent = (*self.recent[1 - WAIT_WINDOW :], seen.data_wait_share)
        if len(recent) < WAIT_WINDOW:
            return DataStarvation(recent, self.told), None
        share = median(recent)
        told = share > (WAITING_OVER if self.told else WAITING)
        return DataStarvation(recent, told), _starvation(share, seen.step) if told and not self.told else None


def _starvation(share: float, step: int) -> Anomaly:
    return Anomaly(
        name=Kind.DATA_STARVATION,
        level=Level.NOTICE,
        step=step,
        began=max(0, step - WAIT_WINDOW),
        what=f"The processor or GPU waits for data: {share:.0%} of each step goes by without work.",
        why="Rows are read more slowly than they are trained on; mostly the disk is slow, far away or busy.",
        evidence=(Evidence("share of a step spent waiting", share),),
        actions=(
            action("Put the Home on a local, fast disk."),
            action("Close other programs that read or write much."),
        ),
    )


class ThermalThrottling(msgspec.Struct, frozen=True):
    """The device slows itself down because it is hot: the driver says so, or it is at 80 degrees or more with its
    clock under 85 % of this run's usual; at least 6 of the last 8 readings."""

    clocks: Blocks = Blocks()
    hot: tuple[bool, ...] = ()
    told: bool = False

    def after(self, seen: Observation) -> tuple[ThermalThrottling, Anomaly | None]:
        if seen.gpu_throttled is None and (seen.gpu_temperature is None or seen.gpu_clock_share is None):
            return self, None
        usual = max(self.clocks.done, default=None)
        throttled = _throttled(seen, usual, CLOCK_OVER if self.told else COOL_CLOCK)
        hot = (*self.hot[1 - HOT_WINDOW :], throttled)
        known = throttled or seen.gpu_clock_share is None
        clocks = self.clocks if known else self.clocks.after(seen.gpu_clock_share or 0.0)[0]
        told = any(hot) if self.told else sum(hot) >= HOT_WINDOW - 2
        news = told and not self.told
        return ThermalThrottling(clocks, hot, told), _throttling(seen, usual) if news else None


def _throttled(seen: Observation, usual: float | None, bound: float) -> bool:
    if seen.gpu_throttled is not None:
        return seen.gpu_throttled
    if seen.gpu_temperature is None or seen.gpu_clock_share is None or usual is None:
        return False
    return seen.gpu_temperature >= HOT and seen.gpu_clock_share < bound * usual


def _throttling(seen: Observation, usual: float | None) -> Anomaly:
    heat, clock = seen.gpu_temperature, seen.gpu_clock_share
    degrees = "" if heat is None else f" at {heat:.0f} degrees Celsius"
    pace = "" if clock is None else f" Its clock is at {clock:.0%} of the highest"
    before = "." if usual is None else f", and was at {usual:.0%}."
    return Anomaly(
        name=Kind.THERMAL_THROTTLING,
        level=Level.WARNING,
        step=seen.step,
        began=max(0, seen.step - HOT_WINDOW),
        what=f"The GPU slows itself down because it is hot{degrees}.",
        why=f"It protects itself.{pace + before if pace else ''} The run is sound, only slower.",
        evidence=(
            *(() if heat is None else (Evidence("temperature", heat, "°C"),)),
            *(() if clock is None else (Evidence("clock, of the highest", clock),)),
            *(() if usual is None else (Evidence("clock before", usual),)),
        ),
        actions=(
            action("See that air gets in and out, and clean the fans."),
            action("Lower the GPU's power limit a little; it often trains as fast and stays cooler."),
            action("Pause the run and resume it when the room is cooler.", Do.RESUME),
        ),
    )
