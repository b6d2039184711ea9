"""The run looking after itself: what each step showed goes to the watch, what the watch says becomes a remedy.

Detectors and decisions are engine/monitor's; carrying them out is the loop's. In between, here: an event for each
anomaly and each remedy, and what a person has to be asked.
"""

from __future__ import annotations

import msgspec

from engine.monitor.anomaly import Anomaly
from engine.monitor.observation import Observation
from engine.monitor.proposal import Proposal
from engine.monitor.recovery import GoOn, Pause, Policy, Propose, Remedy, Situation, Tried, decide
from engine.monitor.watch import Watch, WatchState
from engine.spec.files import read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.worker.reporter import Reporter


class HealingState(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint keeps of it."""

    watch: WatchState = WatchState()
    tried: Tried = Tried()


class Healing:
    """One run's watch and its memory of what was tried."""

    def __init__(self, policy: Policy, folder: RunFolder, reporter: Reporter, attempt: int) -> None:
        self._policy: Policy = policy
        self._folder, self._reporter, self._attempt = folder, reporter, attempt
        self._watch = Watch()
        self._tried = Tried()
        self.proposed_step: int | None = None
        """The step that a pause of this attempt proposes to go back to."""

    def state(self) -> HealingState:
        """What is remembered now."""
        return HealingState(watch=self._watch.state(), tried=self._tried)

    def restore(self, state: HealingState, *, keep_tried: bool = False) -> None:
        """Go on from a checkpoint. After a roll-back the remedies that were used since still count."""
        self._watch = Watch.restored(state.watch)
        if not keep_tried:
            self._tried = state.tried

    def gradient_limit(self) -> float | None:
        """The longest gradient that is let through whole in the next step; None for any."""
        return None if self._policy == "observe" else self._watch.gradient_limit()

    def look(self, seen: Observation, situation: Situation) -> Remedy | None:
        """What to do after this step, if anything; the first remedy that changes the run wins."""
        chosen: Remedy | None = None
        for anomaly in self._watch.see(seen):
            remedy = self.answer(anomaly, situation, instead=chosen is not None)
            if chosen is None and not isinstance(remedy, GoOn | Propose):
                chosen = remedy
        return chosen

    def answer(self, anomaly: Anomaly, situation: Situation, *, instead: bool = False) -> Remedy:
        """Decide on one anomaly and write both down; with `instead` only the anomaly: another remedy goes first."""
        situation = msgspec.structs.replace(situation, gradient_limit=self._watch.gradient_limit(), tried=self._tried)
        remedy = decide(self._policy, anomaly, situation)
        evidence = {f"{each.label} ({each.unit})" if each.unit else each.label: each.value for each in anomaly.evidence}
        self._reporter.event(
            "anomaly", anomaly.what, name=anomaly.name.value, level=anomaly.level.value, why=anomaly.why, **evidence
        )
        if instead:
            return remedy
        self._tried = self._tried.after(remedy)
        if isinstance(remedy, Pause | Propose):
            self._propose(remedy)
        elif not isinstance(remedy, GoOn):
            self._reporter.event(
                "recovery", remedy.reason, remedy=str(type(remedy).__struct_config__.tag), **_facts(remedy)
            )
        return remedy

    def _propose(self, remedy: Pause | Propose) -> None:
        back = remedy.roll_back_to if isinstance(remedy, Pause) else None
        proposal = Proposal(attempt=self._attempt, card=remedy.proposal, changes=remedy.changes, roll_back_to=back)
        write_struct(self._folder.proposal_file, proposal)
        self.proposed_step = back
        actions = " ".join(action.label for action in remedy.proposal.actions)
        self._reporter.event("proposal", f"{remedy.proposal.what} {actions}", why=remedy.proposal.why)

    def accepted(self) -> Proposal | None:
        """The proposal of the attempt before, when the resume that began this one accepted it."""
        control = self._folder.control()
        if control is None or not control.accept or control.attempt != self._attempt - 1:
            return None
        try:
            proposal = read_struct(self._folder.proposal_file, Proposal)
        except (OSError, msgspec.MsgspecError):
            return None
        return proposal if proposal.attempt == control.attempt else None


def _facts(remedy: Remedy) -> dict[str, int | float | str | bool]:
    values = msgspec.structs.asdict(remedy)
    return {name: value for name, value in values.items() if name != "reason" and isinstance(value, int | float | str)}
