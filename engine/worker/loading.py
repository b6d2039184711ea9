"""A run's parts as it begins: data, model, optimizer, objective. Put together once; the loop only uses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import torch
from torch import nn

from engine.spec.exits import Exit
from engine.spec.folder import RunFolder
from engine.spec.objectives import Kto
from engine.spec.prepared import SPLITS, read_split
from engine.spec.runspec import TrainJob
from engine.worker import heap, provenance
from engine.worker.aims import aim_for, needs_reference
from engine.worker.checkpoint import environment
from engine.worker.examples import Examples, Rows
from engine.worker.fault import Fault
from engine.worker.feed import Feed
from engine.worker.group import Group
from engine.worker.keeping import Keeping
from engine.worker.methods import load_for_training
from engine.worker.model import PACKED, trainable
from engine.worker.objective import Objective
from engine.worker.optimizer import make_optimizer
from engine.worker.reference import References, references, sets_of_rows
from engine.worker.reporter import Reporter
from engine.worker.rows_check import check_rows
from engine.worker.saving import keep_beginning
from engine.worker.stepping import Stepper
from engine.worker.validation import Validation


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the loop works with."""

    examples: Examples
    objective: Objective
    parameters: dict[str, nn.Parameter]
    device: torch.device
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    feed: Feed
    stepper: Stepper
    validation: Validation
    keeping: Keeping


def load(
    job: TrainJob,
    folder: RunFolder,
    reporter: Reporter,
    group: Group,
    pieces_of: Callable[[int], list[tuple[list[int], float]]],
) -> Parts:
    """Everything in memory, deterministic in the spec's seed. Raises Fault."""
    numbers = job.training
    if group.first:
        provenance.check(job, folder)
    examples = {name: Examples(read_split(Path(job.data.prepared), name)) for name in SPLITS}
    check_rows(job, len(examples["train"]), sum(examples["train"].labels))
    model = load_for_training(
        job.model, job.method, numbers.precision, numbers.seed, shared=group.size > 1, parent=job.parent
    )
    _check_weights(model, job)
    heap.settle(model)
    if group.first:
        keep_beginning(model, job.method, folder)
    if numbers.gradient_checkpointing:
        enable_checkpointing(model)
    objective = Objective(model)
    device = next(iter(trainable(objective.model).values())).device
    known = _references(job, folder, objective, examples, device, group)
    group.share(objective)
    parameters = trainable(objective.model)
    optimizer = make_optimizer(parameters, job.method, numbers)
    # fp16 gradients underflow without a scale; in other precisions the scaler is the identity.
    scaler = torch.amp.GradScaler(device.type, enabled=numbers.precision == "fp16")
    feed = Feed(examples["train"], device, pieces_of)
    aims = {name: aim_for(job.objective, objective, examples[name], known[name]) for name in SPLITS}
    torch.manual_seed(numbers.seed)  # dropout draws from here on
    reporter.event(
        "loaded",
        f"{sum(p.numel() for p in parameters.values()):,} trainable parameters on {device}.",
        device=str(device),
        rows=len(examples["train"].split),
        fused_loss=objective.fused,
        processes=group.size,
        **_environment_facts(),
    )
    return Parts(
        examples=examples["train"],
        objective=objective,
        parameters=parameters,
        device=device,
        optimizer=optimizer,
        scaler=scaler,
        feed=feed,
        stepper=Stepper(aims["train"], examples["train"], feed, parameters, optimizer, scaler, numbers, group),
        validation=Validation(aims["validation"], objective, examples["validation"], numbers.precision, device, group),
        keeping=Keeping(folder, reporter, parameters, optimizer, scaler, numbers.keep_checkpoints, group),
    )


def _check_weights(model: nn.Module, job: TrainJob) -> None:
    """A model whose file holds values that are no numbers can learn nothing. Raises Fault naming the first weight."""
    for name, weight in model.named_parameters():
        if type(weight).__name__ in PACKED:
            continue
        if weight.is_floating_point() and not torch.isfinite(weight.detach().sum(dtype=torch.float32)):
            raise Fault(
                Exit.BAD_MODEL,
                f"The model {job.model.name} is damaged.",
                f"Its weight {name} holds values that are not numbers.",
                "Get the model's files again.",
                "Or choose another model.",
            )


def _references(
    job: TrainJob,
    folder: RunFolder,
    objective: Objective,
    examples: dict[str, Examples],
    device: torch.device,
    group: Group,
) -> dict[str, list[References]]:
    """What each split's answers were worth to the model before training, where the objective compares with that."""
    if not needs_reference(job.objective):
        return {name: [] for name in examples}
    splits: dict[str, Rows] = {name: each.split for name, each in examples.items()}
    wanted = sets_of_rows(splits, mismatched=isinstance(job.objective, Kto))
    found = references(objective, job.method, wanted, folder.path, device, job.training.micro_batch, group)
    return {name: [found[key] for key in (name, f"{name}/mismatched") if key in found] for name in examples}


def enable_checkpointing(model: nn.Module) -> None:
    """Compute activations again in the backward pass instead of keeping them (Chen et al. 2016, arXiv:1604.06174)."""
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})  # type: ignore[operator]
    model.enable_input_require_grads()  # type: ignore[operator]


def _environment_facts() -> dict[str, str | int]:
    here = environment()
    return {"torch": here.torch, "transformers": here.transformers, "peft": here.peft, "threads": here.threads}
