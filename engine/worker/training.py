"""The training loop, read from top to bottom: load, resume, steps, save.

The unit is the optimizer step. Its rows are a pure function of (seed, epoch, step, lengths); the loss is the sum over
labelled tokens divided by their number in the whole step. A pause or a lack of memory inside a step throws its
gradients away and goes back to the step's start, so that whatever interrupts a run, its numbers stay the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from engine.monitor.detect import Watch
from engine.spec.exits import Exit
from engine.spec.folder import RunFolder
from engine.spec.prepared import PreparedSplit, read_split
from engine.spec.records import Action, RunState
from engine.spec.runspec import TrainJob
from engine.worker import checkpoint
from engine.worker.batches import epoch_steps, micro_batches, padding_share, steps_per_epoch
from engine.worker.control import ControlFile, Wish
from engine.worker.fault import Fault, out_of_memory
from engine.worker.model import computing, evaluating, load_for_training, trainable
from engine.worker.objective import Objective, collate
from engine.worker.reporter import Reporter
from engine.worker.saving import save_result
from engine.worker.schedule import learning_rate

VALIDATION_ROWS_AT_ONCE = 32


class Interrupted(Exception):
    """A wish arrived inside a step; the step is thrown away."""


class Training:
    """One run of the loop. `run` returns how it ended; everything it learned is in the run's folder by then."""

    def __init__(self, job: TrainJob, folder: RunFolder, reporter: Reporter, control: ControlFile) -> None:
        self.job = job
        self.numbers = job.training
        self.folder = folder
        self.reporter = reporter
        self.control = control
        self.step = 0
        self.micro_batch = job.training.micro_batch
        self.rate_override: float | None = None
        self.validated: tuple[int, float] | None = None
        self.best: tuple[float, Path] | None = None
        self.watch = Watch()

    def run(self) -> Exit:
        """Load, resume where there is something to resume, train to the end or to a wish, save. Raises Fault."""
        self._load()
        self._resume()
        self.reporter.at(self.step, self.job.total_steps)
        self.reporter.enter(RunState.RUNNING)
        if self.step == 0:
            self._validate()
        while self.step < self.job.total_steps:
            if wish := self._one_step():
                return self._leave(wish)
        return self._finish()

    def _load(self) -> None:
        job = self.job
        self.train_rows = read_split(Path(job.data.prepared), "train")
        self.validation_rows = read_split(Path(job.data.prepared), "validation")
        self._check_rows()
        model = load_for_training(job.model, job.method, self.numbers.precision, self.numbers.seed)
        if self.numbers.gradient_checkpointing:
            _enable_checkpointing(model)
        self.objective = Objective(model)
        self.parameters = trainable(model)
        self.device = next(iter(self.parameters.values())).device
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(),
            lr=self.numbers.learning_rate,
            betas=(self.numbers.beta1, self.numbers.beta2),
            eps=self.numbers.epsilon,
            weight_decay=self.numbers.weight_decay,
            fused=True,
        )
        # fp16 gradients underflow without a scale; in other precisions the scaler is the identity.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.numbers.precision == "fp16")
        self.lengths = self.train_rows.lengths()
        self.labels = [sum(self.train_rows.row(i)[1][1:]) for i in range(len(self.train_rows))]
        torch.manual_seed(self.numbers.seed)  # dropout draws from here on
        self.reporter.event(
            "loaded",
            f"{sum(p.numel() for p in self.parameters.values()):,} trainable parameters on {self.device}.",
            device=str(self.device),
            rows=len(self.train_rows),
            **_environment_facts(),
        )

    def _check_rows(self) -> None:
        rows, expected = len(self.train_rows), self.job.total_steps
        if rows == 0:
            raise Fault(
                Exit.BAD_DATA,
                "There is nothing to train on.",
                "No row of this dataset has a response within the context length.",
                "Raise the context length.",
                "Check the columns chosen as question and answer.",
            )
        found = self.numbers.epochs * steps_per_epoch(rows, self.numbers.batch_size)
        if found != expected:
            raise Fault(
                Exit.BAD_SPEC,
                "The plan and the data do not agree.",
                f"The plan has {expected} steps, the prepared data makes {found}.",
                "Plan the run again; its data was prepared anew.",
            )

    def _one_step(self) -> Wish | None:
        """One optimizer step with what surrounds it, or the wish that kept it from happening."""
        self.random_state = checkpoint.random_state()
        started = time.perf_counter()
        try:
            loss = self._accumulate(self._rows_of(self.step))
        except Interrupted:
            self.optimizer.zero_grad(set_to_none=True)
            checkpoint.set_random_state(self.random_state)
            return self.control.wish
        norm = self._update(loss)
        self.step += 1
        self._record(loss, norm, time.perf_counter() - started)
        self._after_step()
        return None

    def _rows_of(self, step: int) -> list[int]:
        each = steps_per_epoch(len(self.lengths), self.numbers.batch_size)
        epoch, position = divmod(step, each)
        if position == 0 or not hasattr(self, "_epoch") or self._epoch[0] != epoch:
            self._epoch = (epoch, epoch_steps(self.numbers.seed, epoch, self.lengths, self.numbers.batch_size))
        return self._epoch[1][position]

    def _accumulate(self, rows: list[int]) -> float:
        """Gradients of the whole step. When memory runs out, again with half the micro-batch: same numbers, slower."""
        while True:
            try:
                return self._forward_backward(rows)
            except (torch.OutOfMemoryError, MemoryError) as error:
                if self.micro_batch == 1:
                    raise out_of_memory() from error
            self.optimizer.zero_grad(set_to_none=True)
            checkpoint.set_random_state(self.random_state)
            torch.cuda.empty_cache()
            self.micro_batch = max(1, self.micro_batch // 2)
            self.reporter.event(
                "recovery",
                f"Memory ran out; the micro-batch is now {self.micro_batch}. What is learned stays the same.",
                micro_batch=self.micro_batch,
            )

    def _forward_backward(self, rows: list[int]) -> float:
        labels = max(1, sum(self.labels[row] for row in rows))
        total = torch.zeros((), device=self.device)
        for micro in self._micro_batches(rows):
            if self.control.look():
                raise Interrupted
            with computing(self.numbers.precision, self.device):
                loss = self.objective(collate(self.train_rows, micro, self.device)) / labels
            self.scaler.scale(loss).backward()
            total += loss.detach()
        return total.item()

    def _micro_batches(self, rows: list[int]) -> Iterator[list[int]]:
        batches = micro_batches(rows, self.lengths, self.micro_batch)
        self.padding = padding_share(batches, self.lengths)
        self.step_tokens = sum(self.lengths[row] for row in rows)
        self.step_rows = len(rows)
        yield from batches

    def _update(self, loss: float) -> float:
        """Clip and step; returns the gradient norm. A step that is not a number is left out, and said."""
        self.scaler.unscale_(self.optimizer)
        limit = self.numbers.clip_norm or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), limit).item()
        if math.isfinite(loss) and math.isfinite(norm):
            rate = self._rate()
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _rate(self) -> float:
        if self.control.learning_rate is not None:
            self.rate_override = self.control.learning_rate
        planned = learning_rate(self.numbers, self.step, self.job.total_steps)
        return planned if self.rate_override is None else planned / self.numbers.learning_rate * self.rate_override

    def _record(self, loss: float, norm: float, seconds: float) -> None:
        self.reporter.at(self.step, self.job.total_steps)
        self.reporter.metrics(
            self.step,
            loss=loss,
            gradient_norm=norm,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            tokens_per_second=self.step_tokens / seconds,
            rows_per_second=self.step_rows / seconds,
            step_seconds=seconds,
            padding_share=self.padding,
        )
        anomaly = self.watch.see(self.step, loss, norm)
        if anomaly is None:
            return
        self.reporter.event("anomaly", anomaly.what, name=anomaly.name, why=anomaly.why)
        if anomaly.fatal:
            raise Fault(
                Exit.CRASHED,
                anomaly.what,
                anomaly.why,
                Action(label="Start again with a tenth of the learning rate.", do="retry-lower-rate"),
                "Look at the rows around this step.",
            )

    def _after_step(self) -> None:
        last = self.step == self.job.total_steps
        if last or self.step % self.numbers.validate_every == 0:
            self._validate()
        if last or self.step % self.numbers.checkpoint_every == 0 or self.control.checkpoint_now:
            self.control.checkpoint_now = False
            self._save_checkpoint()

    def _validate(self) -> None:
        rows = self.validation_rows
        if len(rows) == 0:
            return
        total, labels = 0.0, 0
        with evaluating(self.objective), computing(self.numbers.precision, self.device):
            for micro in micro_batches(range(len(rows)), rows.lengths(), self._validation_micro_batch(rows)):
                batch = collate(rows, micro, self.device)
                total += self.objective(batch).item()
                labels += len(batch.targets)
        loss = total / max(labels, 1)
        self.validated = (self.step, loss)
        self.reporter.metrics(self.step, validation_loss=loss)

    def _validation_micro_batch(self, rows: PreparedSplit) -> int:
        """As many tokens at once as training holds, at the most."""
        tokens = self.micro_batch * max(self.lengths)
        return max(1, min(VALIDATION_ROWS_AT_ONCE, tokens // max(rows.lengths())))

    def _save_checkpoint(self) -> None:
        loss = self.validated[1] if self.validated and self.validated[0] == self.step else None
        saved = checkpoint.save(
            self.folder.checkpoints,
            self.step,
            self.parameters,
            self.optimizer,
            scale=torch.tensor(self.scaler.get_scale()),
            random_state=checkpoint.random_state(),
            validation_loss=loss,
            learning_rate=self.rate_override,
        )
        self.reporter.sync()
        if loss is not None and (self.best is None or loss < self.best[0]):
            self.best = (loss, saved)
        best = self.best[1] if self.best else None
        checkpoint.prune(self.folder.checkpoint_folders(), self.numbers.keep_checkpoints, best)
        self.reporter.event("checkpoint", f"Saved step {self.step}.", best=saved == best)

    def _resume(self) -> None:
        """Go on from the newest checkpoint that is whole; older ones are tried when it is not."""
        for folder in reversed(self.folder.checkpoint_folders()):
            try:
                record, scale, state = checkpoint.load(folder, self.parameters, self.optimizer)
            except checkpoint.Damaged as damage:
                self.reporter.event("note", f"A checkpoint is damaged and was passed over: {damage}.")
                continue
            checkpoint.set_random_state(state)
            if self.scaler.is_enabled():
                self.scaler.load_state_dict(self.scaler.state_dict() | {"scale": scale.item()})
            self.step, self.rate_override = record.step, record.learning_rate
            self.best = self._best_so_far()
            self.reporter.at(self.step, self.job.total_steps)
            self._say_resumed(record)
            return

    def _best_so_far(self) -> tuple[float, Path] | None:
        found = []
        for folder in self.folder.checkpoint_folders():
            loss = checkpoint.read_record(folder).validation_loss
            if loss is not None:
                found.append((loss, folder))
        return min(found, default=None)

    def _say_resumed(self, record: checkpoint.CheckpointRecord) -> None:
        same = record.environment == checkpoint.environment()
        words = "" if same else " The environment differs, so the last bits of later numbers may too."
        self.reporter.event("resumed", f"Going on from step {self.step}.{words}", exact=same)

    def _leave(self, wish: Wish) -> Exit:
        """Keep the state at the last whole step; a stopped run also gets a usable result (requirement G13)."""
        self._save_checkpoint()
        if wish is Wish.PAUSE:
            return Exit.PAUSED
        save_result(self.objective.model, self.job, self.folder)
        return Exit.STOPPED

    def _finish(self) -> Exit:
        save_result(self.objective.model, self.job, self.folder)
        self.reporter.event("finished", f"{self.step} steps done.")
        return Exit.COMPLETED


def _enable_checkpointing(model: torch.nn.Module) -> None:
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})  # type: ignore[operator]
    model.enable_input_require_grads()  # type: ignore[operator]


def _environment_facts() -> dict[str, str | int]:
    here = checkpoint.environment()
    return {"torch": here.torch, "transformers": here.transformers, "peft": here.peft, "threads": here.threads}
