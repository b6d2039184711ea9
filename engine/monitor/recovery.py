"""What a run does about an anomaly: a pure decision from the policy, the anomaly, and what was tried before.

Knows no loop: the worker carries a remedy out and counts it with `Tried.after`. Every remedy has an end: one that
was used as often as it may be gives way to the next stronger one, and the last is a pause with a proposal, never a
loop.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.monitor.anomaly import Anomaly, Do, Kind, action, number
from engine.spec.records import Action, Card

Policy = Literal["observe", "ask", "automatic"]
"""Say it only; pause and propose; or heal without asking."""

HALF = 0.5
LEAST_RATE_FACTOR = 1 / 16
MOST_ROLL_BACKS = 3
MOST_RATE_CUTS = 3
MOST_STEPS_LEFT_OUT = 10


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A setting and its new value. `setting` is a field of Training or of the method, `value` what it becomes."""

    setting: str
    value: int | float | str | bool


class GoOn(msgspec.Struct, frozen=True, tag="go-on"):
    """Nothing but the event."""

    reason: str


class LeaveOut(msgspec.Struct, frozen=True, tag="leave-out"):
    """The step's gradient is thrown away; the weights stay as they are."""

    step: int
    reason: str


class Clip(msgspec.Struct, frozen=True, tag="clip"):
    """The step counts, but its gradient is cut to `limit` (an L2 norm)."""

    limit: float
    reason: str


class LowerRate(msgspec.Struct, frozen=True, tag="lower-rate"):
    """Go on from here; every planned learning rate is multiplied by `factor`."""

    factor: float
    reason: str


class RollBack(msgspec.Struct, frozen=True, tag="roll-back"):
    """Back to the checkpoint of `step` (0: the beginning); from there every planned rate is multiplied by
    `rate_factor`."""

    step: int
    rate_factor: float
    reason: str


class HalveMicroBatch(msgspec.Struct, frozen=True, tag="halve-micro-batch"):
    """At most this many rows at once; the batch of an optimizer step stays the same."""

    micro_batch: int
    reason: str


class UseCheckpointing(msgspec.Struct, frozen=True, tag="use-checkpointing"):
    """Activations are computed again instead of kept."""

    reason: str


class Propose(msgspec.Struct, frozen=True, tag="propose"):
    """The run goes on; a person is shown this, with the changes it means for a new run."""

    proposal: Card
    changes: tuple[Change, ...]
    reason: str


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """The run saves itself and waits for a person. `roll_back_to` is the step that a resume had better begin from."""

    proposal: Card
    changes: tuple[Change, ...]
    roll_back_to: int | None
    reason: str


Remedy = GoOn | LeaveOut | Clip | LowerRate | RollBack | HalveMicroBatch | UseCheckpointing | Propose | Pause


class Tried(msgspec.Struct, frozen=True):
    """How often each remedy that has a limit was used in this run, all attempts together."""

    left_out: int = 0
    roll_backs: int = 0
    rate_cuts: int = 0

    def after(self, remedy: Remedy) -> Tried:
        """The counts with this remedy carried out."""
        match remedy:
            case LeaveOut() | Clip():
                return msgspec.structs.replace(self, left_out=self.left_out + 1)
            case RollBack():
                return Tried(0, self.roll_backs + 1, self.rate_cuts)
            case LowerRate():
                return Tried(0, self.roll_backs, self.rate_cuts + 1)
            case _:
                return self


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Where the run stands. `checkpoints` are the steps it can go back to, with 0 if it can begin anew;
    `rate_factor` is what every planned rate is multiplied by now; `gradient_limit` what the watch thinks usual, if
    it knows."""

    checkpoints: tuple[int, ...]
    micro_batch: int
    checkpointing: bool
    quantized: bool
    learning_rate: float
    rate_factor: float = 1.0
    gradient_limit: float | None = None
    tried: Tried = Tried()

    def stable(self, anomaly: Anomaly) -> int | None:
        """The newest checkpoint from before the anomaly began."""
        return max((step for step in self.checkpoints if step <= anomaly.began), default=None)


def decide(policy: Policy, anomaly: Anomaly, now: Situation) -> Remedy:
    """The remedy for an anomaly. Memory that ran out must be answered under every policy: the step cannot be
    computed."""
    if anomaly.name in (Kind.OUT_OF_MEMORY, Kind.MEMORY_FULL):
        return _memory(policy, anomaly, now)
    if policy == "observe":
        return _watch_only(anomaly, now)
    if not anomaly.recovers:
        return _advise(anomaly, now)
    if not anomaly.persists and anomaly.name in (Kind.NON_FINITE, Kind.EXPLOSION):
        return _single_step(policy, anomaly, now)
    if policy == "ask":
        return _pause(anomaly, now, "This run asks before it changes anything.")
    return _heal(anomaly, now)


def _watch_only(anomaly: Anomaly, now: Situation) -> Remedy:
    """A step that is not a number cannot be taken, whatever the policy, and a row of them learns nothing."""
    if anomaly.name is not Kind.NON_FINITE:
        return GoOn("This run only watches: nothing is changed.")
    if anomaly.persists:
        return _pause(anomaly, now, "Steps that give no number teach nothing.")
    return LeaveOut(anomaly.step, "A step that gave no number was left out; nothing else is changed.")


def _single_step(policy: Policy, anomaly: Anomaly, now: Situation) -> Remedy:
    if now.tried.left_out >= MOST_STEPS_LEFT_OUT:
        why = f"{now.tried.left_out} steps were left out or cut already."
        return _pause(anomaly, now, why) if policy == "ask" else _heal(anomaly, now)
    if anomaly.name is Kind.EXPLOSION and now.gradient_limit is not None:
        limit = now.gradient_limit
        return Clip(limit, f"The gradient of step {anomaly.step} was cut to {number(limit)}, the most that is usual.")
    return LeaveOut(anomaly.step, f"Step {anomaly.step} was left out; the weights stay as they were before it.")


def _heal(anomaly: Anomaly, now: Situation) -> Remedy:
    """Back to before it began, at half the rate; without such a checkpoint lower the rate; after some times, a
    person."""
    factor, back = now.rate_factor * HALF, now.stable(anomaly)
    if factor < LEAST_RATE_FACTOR:
        return _pause(anomaly, now, f"The learning rate is down to {now.rate_factor:.3g} of its plan already.")
    if back is not None and now.tried.roll_backs < MOST_ROLL_BACKS:
        where = "the beginning" if back == 0 else f"step {back}, the last checkpoint from before it began"
        return RollBack(back, factor, f"{anomaly.what} The run went back to {where}, and goes on at half the rate.")
    if back is None and anomaly.name is not Kind.DIVERGENCE and now.tried.rate_cuts < MOST_RATE_CUTS:
        return LowerRate(factor, f"{anomaly.what} The spoiled steps were left out; the run goes on at half the rate.")
    tried = now.tried.roll_backs + now.tried.rate_cuts
    why = (
        "There is no checkpoint from before it began."
        if not tried
        else f"Lowering the rate {tried} times did not help."
    )
    return _pause(anomaly, now, why)


def _pause(anomaly: Anomaly, now: Situation, why: str) -> Pause:
    rate = now.learning_rate * now.rate_factor * HALF
    back = now.stable(anomaly)
    first = () if back is None else (action(f"Resume from step {back} at half the learning rate.", Do.ROLL_BACK),)
    card = Card(
        what=anomaly.what,
        why=f"{anomaly.why} {why} The run is paused; nothing is lost.",
        actions=_distinct((*first, *anomaly.actions)),
        help="anomalies",
        code=anomaly.name,
    )
    return Pause(card, (Change(setting="learning_rate", value=rate),), back, why)


def _distinct(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Three at most, no verb twice."""
    seen: dict[str, Action] = {}
    for each in actions:
        seen.setdefault(each.do or each.label, each)
    return tuple(seen.values())[:3]


def _memory(policy: Policy, anomaly: Anomaly, now: Situation) -> Remedy:
    out = anomaly.name is Kind.OUT_OF_MEMORY
    if policy == "observe" and not out:
        return GoOn("Memory is nearly full; nothing is changed yet.")
    if policy == "ask" and not out:
        return _advise(anomaly, now)
    if now.micro_batch > 1:
        half = max(1, now.micro_batch // 2)
        return HalveMicroBatch(half, f"At most {half} rows are computed at once now. What is learned stays the same.")
    if not now.checkpointing:
        return UseCheckpointing("Activations are computed again instead of kept: slower, with less memory.")
    card, changes = _quantize(anomaly, now)
    why = "One row at a time with activation checkpointing is the least that this method needs."
    return Pause(card, changes, None, why) if out else Propose(card, changes, why)


def _quantize(anomaly: Anomaly, now: Situation) -> tuple[Card, tuple[Change, ...]]:
    shorter = action("Choose a shorter context length.")
    smaller = action("Start again with QLoRA: its weights take a quarter of the memory.", Do.QUANTIZE)
    card = Card(
        what=anomaly.what,
        why="One row at a time with activation checkpointing is the least that this method needs, and it is too much.",
        actions=(*(() if now.quantized else (smaller,)), shorter, action("Close other programs that use the GPU.")),
        help="anomalies",
        code=anomaly.name,
    )
    return card, () if now.quantized else (Change(setting="method", value="qlora"),)


def _advise(anomaly: Anomaly, now: Situation) -> Remedy:
    """What does not spoil the run is proposed; one that learns nothing at all, or is about to be cut off, waits."""
    card = Card(what=anomaly.what, why=anomaly.why, actions=anomaly.actions, help="anomalies", code=anomaly.name)
    rate = now.learning_rate * now.rate_factor
    if anomaly.name is Kind.DEAD_ADAPTER:
        return Pause(card, (Change(setting="targets", value="all-linear"),), None, "Going on would change nothing.")
    if anomaly.name is Kind.BATTERY_LOW:
        return Pause(card, (), None, "It is saved before the machine goes out.")
    if anomaly.name is Kind.PLATEAU:
        return Propose(card, (Change(setting="learning_rate", value=2 * rate),), "The run goes on as it is.")
    return Propose(card, (), "The run goes on as it is.")
