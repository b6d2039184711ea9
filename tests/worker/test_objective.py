"""The objective: what is computed, what is not, and what must not disturb it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.spec.prepared import read_split
from engine.spec.runspec import ModelRef
from engine.worker.batches import epoch_steps, micro_batches, padding_share
from engine.worker.model import evaluating, load_for_training, trainable
from engine.worker.objective import Objective, collate
from tests.making import LORA, QLORA


@pytest.fixture
def reference(model: Path) -> ModelRef:
    return ModelRef(path=str(model), name="tiny", fingerprint="f")


def gradients(objective: Objective, rows: Path) -> dict[str, torch.Tensor]:
    batch = collate(read_split(rows, "train"), [0, 1, 2], torch.device("cpu"))
    objective.zero_grad()
    torch.manual_seed(1)
    objective(batch).backward()
    return {name: p.grad.clone() for name, p in trainable(objective).items() if p.grad is not None}


@pytest.mark.parametrize("method", [LORA, QLORA], ids=["lora", "qlora nf4"])
def test_gradients_before_and_after_a_validation_are_the_same_bits(
    reference: ModelRef, rows: Path, method: type
) -> None:
    objective = Objective(load_for_training(reference, method, "fp32", 7))  # type: ignore[arg-type]
    for name, parameter in trainable(objective).items():  # a zero B would hide a gradient that is cut
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(len(name)))
    before = gradients(objective, rows)
    with evaluating(objective):
        objective(collate(read_split(rows, "validation"), list(range(8)), torch.device("cpu")))
    after = gradients(objective, rows)
    assert before.keys() == after.keys() == trainable(objective).keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(gradient.abs().sum() > 0 for gradient in before.values())


def test_logits_exist_only_where_a_token_is_learned(reference: ModelRef, rows: Path) -> None:
    objective = Objective(load_for_training(reference, LORA, "fp32", 7))
    seen: list[torch.Size] = []
    objective.model.get_output_embeddings().register_forward_hook(  # type: ignore[operator]
        lambda _module, _inputs, output: seen.append(output.shape)
    )
    split = read_split(rows, "train")
    objective(collate(split, [0, 1, 2], torch.device("cpu")))
    labels = sum(sum(split.row(row)[1][1:]) for row in range(3))
    assert seen == [torch.Size([labels, 128])]


def test_a_batch_loses_what_its_rows_lose_alone(reference: ModelRef, rows: Path) -> None:
    objective = Objective(load_for_training(reference, LORA, "fp32", 7)).eval()
    split, cpu = read_split(rows, "train"), torch.device("cpu")
    together = objective(collate(split, list(range(10)), cpu))
    alone = sum(objective(collate(split, [row], cpu)) for row in range(10))
    assert together.item() == pytest.approx(float(alone), rel=1e-5)


@given(
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=200),
    batch=st.integers(1, 40),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 5),
)
def test_an_epoch_holds_every_row_exactly_once(lengths: list[int], batch: int, seed: int, epoch: int) -> None:
    steps = epoch_steps(seed, epoch, lengths, batch)
    assert sorted(row for step in steps for row in step) == list(range(len(lengths)))
    assert len(steps) == -(-len(lengths) // batch)
    assert all(len(step) <= batch for step in steps)
    assert steps == epoch_steps(seed, epoch, lengths, batch)


@given(lengths=st.lists(st.integers(1, 500), min_size=1, max_size=60), most=st.integers(1, 40))
def test_micro_batches_hold_each_row_once_with_at_most_five_percent_padding(lengths: list[int], most: int) -> None:
    batches = micro_batches(range(len(lengths)), lengths, most)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(len(batch) <= most for batch in batches)
    assert all(padding_share([batch], lengths) <= 0.05 + 1e-9 for batch in batches)
