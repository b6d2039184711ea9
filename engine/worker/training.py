"""The training loop, read from top to bottom: load, resume, steps, save.

The unit is the optimizer step. Its rows are a pure function of (seed, epoch, step, lengths); the loss is a sum divided
by a number of the whole step. A pause or a lack of memory inside a step throws its gradients away and goes back to the
step's start, so that whatever interrupts a run, its numbers stay the same.
"""

from __future__ import annotations

import math
import time

import torch

from engine.monitor.machine import out_of_memory as memory_ran_out
from engine.monitor.observation import Observation
from engine.monitor.recovery import (
    HalveMicroBatch,
    LowerRate,
    Pause,
    Remedy,
    RollBack,
    Situation,
    UseCheckpointing,
)
from engine.spec.exits import Exit
from engine.spec.folder import RunFolder
from engine.spec.methods import Prefix, Tuner, quantization_of
from engine.spec.records import RunState
from engine.spec.runspec import TrainJob
from engine.worker import checkpoint, products, way
from engine.worker.batches import epoch_steps, micro_batches, packed_batches, steps_per_epoch
from engine.worker.checkpoint import LoopState
from engine.worker.condition import Condition
from engine.worker.control import ControlFile, Wish
from engine.worker.fault import out_of_memory
from engine.worker.group import Alone, Group, scalar
from engine.worker.healing import Healing
from engine.worker.keeping import differences_from
from engine.worker.loading import enable_checkpointing, load
from engine.worker.nvidia import Heat
from engine.worker.reporter import Reporter
from engine.worker.saving import save_result
from engine.worker.stepping import Done, Interrupted
from engine.worker.tuned import Tuned
from engine.worker.way import Way

LOOK_INSIDE_EVERY = 10
"""Steps between measurements of the adapter's norm and the memory, which cost more than reading a number."""
TRIED = 2
"""Micro-batches that each way of computing a step is tried on, where the recipe leaves it to measurement."""


class Training:
    """One run of the loop. `run` returns how it ended; everything it learned is in the run's folder by then.

    `lagging`: on a GPU a step's numbers are read while the next one is computed, so that the device never waits.
    """

    lagging: bool | None = None

    def __init__(
        self, job: TrainJob, folder: RunFolder, reporter: Reporter, control: ControlFile, group: Group | None = None
    ) -> None:
        self.job = job
        self.group = group or Alone()
        self.numbers = job.training
        self.folder = folder
        self.reporter = reporter
        self.control = control
        self.healing = Healing(job.training.recovery, folder, reporter, control.attempt)
        self.step, self.last = 0, job.total_steps
        self.micro_batch = job.training.micro_batch
        self.tuned = Tuned(job.training, job.total_steps)
        self.validated: tuple[int, float] | None = None
        self.way = Way()
        self._pending: Done | None = None
        self._wish: Wish | None = None

    def run(self) -> Exit:
        """Load, resume where there is something to resume, train to the end or to a wish, save. Raises Fault."""
        self._load()
        self._resume()
        self._choose_way()
        self.reporter.at(self.step, self.last)
        self.reporter.enter(RunState.RUNNING)
        if self.step == 0:
            self._validate()
        self._clock = time.perf_counter()
        while self.step < self.last:
            self._one_step()
            if self._wish:
                return self._leave(self._wish)
        return self._finish()

    def _load(self) -> None:
        parts = load(self.job, self.folder, self.reporter, self.group, self._pieces_of)
        self.examples, self.objective, self.parameters = parts.examples, parts.objective, parts.parameters
        self.device, self.scaler, self.feed = parts.device, parts.scaler, parts.feed
        self.stepper, self.validation, self.keeping = parts.stepper, parts.validation, parts.keeping
        self.checkpointing = self.numbers.gradient_checkpointing
        self.condition = Condition(self.device)

    def _choose_way(self) -> None:
        """Settle how steps are computed here, by trying where the recipe leaves it open."""
        known = way.kept(self.folder)
        found = [known] if known else self._ways()
        state = checkpoint.random_state()
        self.way = way.fastest(found, self.objective, self._seconds) if len(found) > 1 else found[0]
        checkpoint.set_random_state(state)
        self._go()
        if known is None and self.group.first:
            way.keep(self.folder, self.way)
            times = {f"{words} (s)": seconds for words, seconds in self.way.seconds.items()}
            self.reporter.event("way", f"Steps are computed with {self.way.words}.", **times)

    def _ways(self) -> list[Way]:
        alone = self.group.size == 1
        onednn = alone and self.device.type == "cpu" and products.faster(torch.get_num_threads())
        return way.ways(self.numbers, self.job.method, alone=alone, onednn=onednn)

    def _seconds(self, tried: Way) -> float:
        cut = packed_batches if tried.packed else micro_batches
        few = self._examples_of(self.step)[: TRIED * self.micro_batch]
        return self.stepper.seconds(cut(few, self.examples.lengths, self.micro_batch), packed=tried.packed)

    def _go(self) -> None:
        if not way.go(self.way, self.objective):
            self.way = way.padded(self.way)
        self.feed.packed = self.way.packed

    def _examples_of(self, step: int) -> list[int]:
        each = steps_per_epoch(len(self.examples), self.numbers.batch_size)
        epoch, position = divmod(step, each)
        if self._epoch is None or self._epoch[0] != epoch:
            steps = epoch_steps(self.numbers.seed, epoch, self.examples.lengths, self.numbers.batch_size)
            self._epoch = (epoch, steps)
        return self._epoch[1][position]

    _epoch: tuple[int, list[list[int]]] | None = None

    def _pieces_of(self, step: int) -> list[tuple[list[int], float]]:
        """This process's micro-batches of a step, each with the factor of its loss."""
        cut = packed_batches if self.feed.packed else micro_batches
        return self.group.deal(cut(self._examples_of(step), self.examples.lengths, self.micro_batch))

    def _one_step(self) -> None:
        """Compute one optimizer step, and settle what is ready: mostly this one, on a GPU the one before."""
        done = self._compute()
        if done is None:
            return
        self.step += 1
        before, self._pending = self._pending, done
        if before is not None:
            self._settle(before)
        lagging = self.device.type == "cuda" if self.lagging is None else self.lagging
        if self._pending is done and (not lagging or self.tuned.validates(done.step) or self._saves(done.step)):
            self._pending = None
            self._settle(done)

    def _compute(self) -> Done | None:
        """One step queued on the device; None when a wish kept it from happening."""
        random_state, started = checkpoint.random_state(), time.perf_counter()
        examples = self._examples_of(self.step)
        self.group.begin_step(self.numbers.seed, self.step)
        try:
            loss, padding = self._gradients(examples, random_state)
        except Interrupted:
            self.stepper.forget()
            checkpoint.set_random_state(random_state)
            self._wish = self.control.wish
            self._settle_pending()
            return None
        self.tuned.take(self.control.live)
        rate = self.tuned.rate(self.step)
        norm = self.stepper.update(loss, rate, self.healing.gradient_limit())
        return self.stepper.done(
            self.step + 1, examples, loss=loss, norm=norm, rate=rate, padding=padding, started=started
        )

    def _gradients(self, examples: list[int], random_state: dict[str, torch.Tensor]) -> tuple[torch.Tensor, float]:
        """Gradients of the whole step. When memory runs out, again in smaller parts: same numbers, slower."""
        while True:
            try:
                return self.stepper.gradients(self.step, self.last, examples, self._look)
            except (torch.OutOfMemoryError, MemoryError) as error:
                if self.group.size > 1:  # the others are in the middle of the step
                    raise out_of_memory() from error
                failure = error.with_traceback(None)  # its frames hold the tensors that did not fit
            self.stepper.forget()
            checkpoint.set_random_state(random_state)
            torch.cuda.empty_cache()
            remedy = self.healing.answer(memory_ran_out(self.step + 1, self.micro_batch), self._situation())
            if not isinstance(remedy, HalveMicroBatch | UseCheckpointing):
                raise out_of_memory() from failure
            self._apply(remedy)

    def _look(self) -> Wish | None:
        return self.group.agree(self.control)

    def _saves(self, step: int) -> bool:
        return self.tuned.saves(step) or self.control.checkpoint_now

    def _settle_pending(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            self._settle(pending)

    def _settle(self, done: Done) -> None:
        """Read a step's numbers, record them, look after the run, and do what is due."""
        loss, norm = torch.stack((done.loss, done.norm)).tolist()
        seconds = time.perf_counter() - self._clock
        self._record(done, loss, norm, seconds)
        if self.step == done.step and self.tuned.validates(done.step):
            self._validate()
        remedy = self.healing.look(self._observation(done, loss, norm, seconds), self._situation())
        if remedy is not None:
            self._apply(remedy)
        if self.step == done.step and self._saves(done.step):
            self.control.checkpoint_now = False
            self._save_checkpoint()
        self._clock = time.perf_counter()

    def _record(self, done: Done, loss: float, norm: float, seconds: float) -> None:
        self.reporter.at(done.step, self.last)
        self.reporter.metrics(
            done.step,
            loss=loss,
            gradient_norm=norm,
            learning_rate=done.rate,
            tokens_per_second=done.tokens / seconds,
            rows_per_second=done.rows / seconds,
            step_seconds=seconds,
            compute_seconds=min(done.computing, seconds),
            data_wait_share=min(1.0, done.waiting / seconds),
            padding_share=done.padding,
            **self.stepper.numbers(),
        )

    def _observation(self, done: Done, loss: float, norm: float, seconds: float) -> Observation:
        """The step as the detectors are shown it. An fp16 overflow is the scaler's business, not a finding."""
        inside = done.step % LOOK_INSIDE_EVERY == 0
        alone = self.group.size == 1  # what processes see of their devices differs, and they must decide alike
        used, limit = self.condition.read() if inside and alone else (None, None)
        heat = self.condition.heat() if inside and alone else Heat()
        overflowed = self.scaler.is_enabled() and math.isfinite(loss) and not math.isfinite(norm)
        return Observation(
            step=done.step,
            loss=loss,
            gradient_norm=None if overflowed else norm,
            learning_rate=done.rate,
            tokens_per_second=done.tokens / seconds,
            step_seconds=seconds,
            data_wait_share=min(1.0, done.waiting / seconds),
            memory_bytes=used,
            memory_limit=limit,
            gpu_temperature=heat.temperature,
            gpu_clock_share=heat.clock_share,
            gpu_throttled=heat.throttled,
            battery=self.condition.battery() if inside and alone else None,
            adapter_norm=self._adapter_norm() if inside else None,
            validation_loss=self.validated[1] if self.validated and self.validated[0] == done.step else None,
        )

    def _adapter_norm(self) -> float:
        """The L2 norm of all trained weights."""
        with torch.no_grad():
            norms = torch.stack([scalar(each.double().norm()) for each in self.parameters.values()])
        value = norms.norm().item()
        self.reporter.metrics(self.step, adapter_norm=value)
        return value

    def _situation(self) -> Situation:
        prompts = isinstance(self.job.method, Prefix | Tuner)  # their cache and checkpointing exclude each other
        return Situation(
            checkpoints=(0, *self.keeping.steps()),
            micro_batch=self.micro_batch,
            checkpointing=self.checkpointing or prompts,
            quantized=quantization_of(self.job.method) != "none",
            learning_rate=self.numbers.learning_rate,
            rate_factor=self.tuned.factor,
        )

    def _apply(self, remedy: Remedy) -> None:
        """Carry a remedy out. Steps that were left out or cut need nothing more."""
        match remedy:
            case LowerRate():
                self.tuned.factor = remedy.factor
            case RollBack():
                self._go_back(remedy.step, remedy.rate_factor)
            case HalveMicroBatch():
                self.micro_batch = remedy.micro_batch
            case UseCheckpointing():
                self.checkpointing = True
                enable_checkpointing(self.objective.model)
            case Pause():
                self._wish = Wish.PAUSE
                self.reporter.asks = remedy.proposal
            case _:
                pass

    def _go_back(self, step: int, rate_factor: float) -> None:
        """Take the state of an earlier step, and give up the path since then."""
        self._pending, self.validated = None, None
        record = self.keeping.newest(most=step) if step else None
        if record is None:
            self._begin_anew()
        else:
            self.step = record.step
            self.healing.restore(record.loop.healing, keep_tried=True)
        if self.step != step:
            words = f"The checkpoint of step {step} is damaged or gone. Went back to step {self.step} instead."
            self.reporter.event("note", words, step=self.step)
        self.tuned.factor = rate_factor
        self.keeping.forget_after(self.step, self._loop_state())
        self.reporter.at(self.step, self.last)

    def _begin_anew(self) -> None:
        """The model as it was before the first step. What memory asked for on the way still holds."""
        checkpointing = self.checkpointing
        self.feed.close()
        self._load()
        self._go()
        self.step = 0
        if checkpointing and not self.checkpointing:
            self._apply(UseCheckpointing(""))

    def _validate(self) -> None:
        if (numbers := self.validation.measure(self.micro_batch)) is not None:
            self.validated = (self.step, numbers["validation_loss"])
            self.reporter.metrics(self.step, **numbers)

    def _loop_state(self) -> LoopState:
        return LoopState(
            changed=self.tuned.changed,
            rate_factor=self.tuned.factor,
            micro_batch=self.micro_batch,
            gradient_checkpointing=self.checkpointing,
            healing=self.healing.state(),
        )

    def _save_checkpoint(self) -> None:
        loss = self.validated[1] if self.validated and self.validated[0] == self.step else None
        self.keeping.save(self.step, loss, self._loop_state(), proposed=self.healing.proposed_step)

    def _resume(self) -> None:
        """Go on from the newest checkpoint that is whole; older ones are tried when it is not."""
        record = self.keeping.newest()
        if record is not None:
            self._take(record)
            differences = differences_from(record.environment)
            words = f" Not bit for bit as it would have been: {'; '.join(differences)}." if differences else ""
            self.reporter.event("resumed", f"Going on from step {self.step}.{words}", exact=not differences)
        proposal = self.healing.accepted()
        if proposal is not None and proposal.roll_back_to is not None:
            self._go_back(proposal.roll_back_to, self.tuned.factor * 0.5)
            words = f"Went back to step {self.step}, at half the learning rate, as proposed."
            self.reporter.event("recovery", words, remedy="roll-back", step=self.step, rate_factor=self.tuned.factor)

    def _take(self, record: checkpoint.CheckpointRecord) -> None:
        loop = record.loop
        self.step = record.step
        self.tuned.restore(loop.changed, loop.rate_factor)
        self.micro_batch = min(self.micro_batch, loop.micro_batch)
        if loop.gradient_checkpointing and not self.checkpointing:
            self._apply(UseCheckpointing(""))
        self.healing.restore(loop.healing)

    def _leave(self, wish: Wish) -> Exit:
        """Keep the state at the last whole step; a stopped run also gets a usable result (requirement G13)."""
        self._settle_pending()
        self._save_checkpoint()
        self.feed.close()
        if wish is Wish.PAUSE:
            return Exit.PAUSED
        save_result(self.objective.model, self.job, self.folder, self.group)
        return Exit.STOPPED

    def _finish(self) -> Exit:
        self.feed.close()
        save_result(self.objective.model, self.job, self.folder, self.group)
        self.reporter.event("finished", f"{self.step} steps done.")
        return Exit.COMPLETED
