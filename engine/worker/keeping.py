"""What a run keeps to go on from: when a checkpoint is written, which ones stay, and how the loop is put back to one.

Knows the loop's state as a struct; the files are engine/worker/checkpoint.py's.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch
from torch import nn

from engine.spec.folder import RunFolder
from engine.worker import checkpoint
from engine.worker.checkpoint import CheckpointRecord, Environment, LoopState
from engine.worker.group import Group, whole_state
from engine.worker.reporter import Reporter


class Keeping:
    """The checkpoints of one run. `best` is the lowest validation loss among them, and its folder."""

    def __init__(
        self,
        folder: RunFolder,
        reporter: Reporter,
        parameters: dict[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        keep: int,
        group: Group,
    ) -> None:
        self._folder, self._reporter, self._keep, self._group = folder, reporter, keep, group
        self._parameters, self._optimizer, self._scaler = parameters, optimizer, scaler
        self.best: tuple[float, Path] | None = None

    def save(self, step: int, validation_loss: float | None, loop: LoopState, proposed: int | None = None) -> None:
        """Write a checkpoint, then delete what need not stay. Raises OSError; older ones are untouched then.

        `proposed`: a step that the run proposes to go back to; it stays until the proposal is decided.
        """
        weights = whole_state(self._parameters, self._group)
        moments = whole_state(checkpoint.optimizer_tensors(self._parameters, self._optimizer), self._group)
        if self._group.first:
            self._write(step, weights, moments, validation_loss, loop)
            self._prune(proposed)
        self._group.wait()

    def _write(
        self,
        step: int,
        weights: dict[str, torch.Tensor],
        moments: dict[str, torch.Tensor],
        validation_loss: float | None,
        loop: LoopState,
    ) -> None:
        saved = checkpoint.save(
            self._folder.checkpoints,
            step,
            weights,
            moments | {"loss_scale": torch.tensor(self._scaler.get_scale())},
            random_state=checkpoint.random_state(),
            validation_loss=validation_loss,
            loop=loop,
        )
        self._reporter.sync()
        if validation_loss is not None and (self.best is None or validation_loss < self.best[0]):
            self.best = (validation_loss, saved)
        self._reporter.event("checkpoint", f"Saved step {step}.", best=bool(self.best and self.best[1] == saved))

    def _prune(self, proposed: int | None) -> None:
        folders = self._folder.checkpoint_folders()
        stay = [folder for folder in folders if step_of(folder) == proposed]
        checkpoint.prune(folders, self._keep, [*stay, self.best[1]] if self.best else stay)

    def newest(self, most: int | None = None) -> CheckpointRecord | None:
        """Put weights, optimizer and generators back to the newest whole checkpoint, of step `most` at the latest."""
        for folder in reversed(self._folder.checkpoint_folders()):
            if most is not None and step_of(folder) > most:
                continue
            try:
                record, scale, state = checkpoint.load(folder, self._parameters, self._optimizer)
            except checkpoint.Damaged as damage:
                self._reporter.event("note", f"A checkpoint is damaged and was passed over: {damage}.")
                continue
            checkpoint.set_random_state(state)
            if self._scaler.is_enabled():
                self._scaler.load_state_dict(self._scaler.state_dict() | {"scale": scale.item()})
            self.best = self._best_so_far()
            return record
        return None

    def steps(self) -> tuple[int, ...]:
        """Steps that can be gone back to, oldest first."""
        return tuple(step_of(folder) for folder in self._folder.checkpoint_folders())

    def forget_after(self, step: int, loop: LoopState) -> None:
        """After going back: later checkpoints belong to a path that was given up, and this one starts another.

        The checkpoint gone back to takes up the new loop state first, so that a kill in between repeats nothing bad.
        """
        for folder in reversed(self._folder.checkpoint_folders() if self._group.first else []):
            if step_of(folder) > step:
                checkpoint.remove(folder)
            elif step_of(folder) == step:
                checkpoint.rewrite_loop(folder, loop)
        self._group.wait()
        self.best = self._best_so_far()

    def _best_so_far(self) -> tuple[float, Path] | None:
        found = []
        for folder in self._folder.checkpoint_folders():
            try:
                loss = checkpoint.read_record(folder).validation_loss
            except checkpoint.Damaged:
                continue
            if loss is not None:
                found.append((loss, folder))
        return min(found, default=None)


def step_of(folder: Path) -> int:
    """The step that a checkpoint's folder is named after."""
    return int(folder.name.removeprefix("step-"))


def differences_from(environment: Environment) -> tuple[str, ...]:
    """What is not as in a checkpoint's environment, in words; nothing when later bits will be equal."""
    then, now = (msgspec.structs.asdict(each) for each in (environment, checkpoint.environment()))
    return tuple(f"{name} {then[name]} then, {now[name]} now" for name in then if then[name] != now[name])
