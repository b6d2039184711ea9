"""Right by comparison (requirement W11): the losses of a plain transformers + peft loop on the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig

from engine.spec.runspec import TrainJob
from engine.worker.schedule import learning_rate
from tests.making import LORA, train_spec, without_dropout
from tests.worker.loop import losses, run_through
from tests.worker.reference import reference_losses

LORA_CONFIG = {"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": "all-linear"}


@pytest.mark.parametrize("micro_batch", [1, 3, 8], ids=["one row at once", "three", "the whole step at once"])
def test_the_micro_batch_changes_no_loss(tmp_path: Path, model: Path, rows: Path, micro_batch: int) -> None:
    method = without_dropout(LORA)
    spec = train_spec(model, rows, method, epochs=4, micro_batch=micro_batch, validate_every=50, checkpoint_every=50)
    ours = losses(run_through(tmp_path / "run-1", spec, []))
    assert isinstance(spec.job, TrainJob)
    theirs = reference_losses(spec.job, LoraConfig(**LORA_CONFIG))
    assert max(abs(ours[step + 1] - loss) for step, loss in enumerate(theirs)) < 1e-4


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_schedule_is_that_of_transformers(schedule: str) -> None:
    from transformers import get_scheduler

    from tests.making import training

    numbers = training(schedule=schedule, warmup_steps=5)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=numbers.learning_rate)
    theirs = get_scheduler(schedule, optimizer, num_warmup_steps=5, num_training_steps=40)
    for step in range(40):
        # transformers starts its warm-up at a rate of zero, which wastes the first step; ours is one step ahead of it.
        expected = theirs.get_last_lr()[0] if step >= 5 else numbers.learning_rate * (step + 1) / 5
        assert learning_rate(numbers, step, 40) == pytest.approx(expected, abs=1e-12)
        optimizer.step()
        theirs.step()
