"""Right by comparison (requirement W11): the losses of a plain transformers + peft loop on the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from engine.spec.methods import Full, Lora, Method
from engine.spec.prepared import PreparedSplit, read_split
from engine.spec.runspec import TrainJob
from engine.worker.batches import epoch_steps
from engine.worker.schedule import learning_rate
from tests.making import FULL, train_spec
from tests.worker.loop import losses, run_through

NO_DROPOUT = Lora(rank=4, alpha=8, dropout=0.0, targets=("all-linear",))


def plain_model(path: Path, method: Method, seed: int) -> torch.nn.Module:
    """What anybody would write with the two libraries."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    if isinstance(method, Full):
        return base.train()
    assert isinstance(method, Lora)
    torch.manual_seed(seed)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=method.rank, lora_alpha=method.alpha, target_modules="all-linear", lora_dropout=0.0
    )
    return get_peft_model(base, config).train()


def padded(split: PreparedSplit, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens, attention mask and labels of a padded batch, -100 where nothing is learned."""
    longest = max(len(split.row(row)[0]) for row in rows)
    tokens = torch.zeros((len(rows), longest), dtype=torch.long)
    mask, labels = torch.zeros_like(tokens), torch.full_like(tokens, -100)
    for i, row in enumerate(rows):
        ids, flags = (torch.tensor(part.tolist()) for part in split.row(row))
        tokens[i, : len(ids)], mask[i, : len(ids)] = ids, 1
        labels[i, : len(ids)] = torch.where(flags.bool(), ids, -100)
    return tokens, mask, labels


def reference_losses(job: TrainJob) -> list[float]:
    """A padded batch a step, full logits, AdamW; the same rows in the same steps."""
    numbers = job.training
    model = plain_model(Path(job.model.path), job.method, numbers.seed)
    split = read_split(Path(job.data.prepared), "train")
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        trained,
        lr=numbers.learning_rate,
        betas=(numbers.beta1, numbers.beta2),
        eps=numbers.epsilon,
        weight_decay=numbers.weight_decay,
    )
    found = []
    for epoch in range(numbers.epochs):
        for rows in epoch_steps(numbers.seed, epoch, split.lengths(), numbers.batch_size):
            tokens, mask, labels = padded(split, rows)
            logits = model(input_ids=tokens, attention_mask=mask).logits
            loss = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, numbers.clip_norm)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(numbers, len(found), job.total_steps)
            optimizer.step()
            optimizer.zero_grad()
            found.append(loss.item())
    return found


@pytest.mark.parametrize("method", [NO_DROPOUT, FULL], ids=["lora", "full"])
@pytest.mark.parametrize("micro_batch", [1, 8], ids=["one row at once", "the whole step at once"])
def test_fifty_steps_equal_a_plain_loop(
    tmp_path: Path, model: Path, rows: Path, method: Method, micro_batch: int
) -> None:
    spec = train_spec(model, rows, method, epochs=10, micro_batch=micro_batch, validate_every=50, checkpoint_every=50)
    ours = losses(run_through(tmp_path / "run-1", spec, []))
    assert isinstance(spec.job, TrainJob)
    theirs = reference_losses(spec.job)
    assert len(theirs) == 50
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
