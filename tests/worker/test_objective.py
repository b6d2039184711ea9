"""The objective: what is computed, what is not, and what must not disturb it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.spec.methods import Method
from engine.spec.prepared import read_split
from engine.spec.runspec import ModelRef
from engine.worker import loss
from engine.worker.batches import epoch_steps, micro_batches, padding_share
from engine.worker.methods import load_for_training
from engine.worker.model import evaluating, trainable
from engine.worker.objective import Objective, collate
from tests.making import FULL, LORA, QLORA, without_dropout


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


def test_scores_exist_only_where_a_token_is_learned(
    reference: ModelRef, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = Objective(load_for_training(reference, LORA, "fp32", 7))
    seen: list[int] = []
    scores = loss._scores
    monkeypatch.setattr(loss, "_scores", lambda hidden, *rest: seen.append(len(hidden)) or scores(hidden, *rest))
    monkeypatch.setattr(loss, "CHUNK_BYTES", 4 * 128 * 20)
    split = read_split(rows, "train")
    objective(collate(split, [0, 1, 2], torch.device("cpu")))
    labels = sum(sum(split.row(row)[1][1:]) for row in range(3))
    assert sum(seen) == labels
    assert max(seen) <= 20


@pytest.mark.parametrize("method", [LORA, FULL], ids=["lora", "full, head tied to the embeddings"])
@pytest.mark.parametrize("chunk", [16, 10_000], ids=["many chunks", "one chunk"])
def test_the_fused_loss_and_its_gradients_are_those_of_cross_entropy(
    reference: ModelRef, rows: Path, monkeypatch: pytest.MonkeyPatch, method: Method, chunk: int
) -> None:
    monkeypatch.setattr(loss, "chunk_rows", lambda _vocabulary: chunk)
    objective = Objective(load_for_training(reference, without_dropout(method), "fp32", 7))
    assert objective.fused
    fused = gradients(objective, rows)
    objective.fused = False
    plain = gradients(objective, rows)
    assert fused.keys() == plain.keys()
    for name, expected in plain.items():
        assert (fused[name] - expected).abs().max() <= 1e-4 * expected.abs().max() + 1e-9, name


def test_each_token_may_count_differently(reference: ModelRef, rows: Path) -> None:
    objective = Objective(load_for_training(reference, without_dropout(LORA), "fp32", 7))
    batch = collate(read_split(rows, "train"), [0, 1, 2], torch.device("cpu"))
    weights = torch.linspace(-1, 2, len(batch.targets))
    found = []
    for fused in (True, False):
        objective.fused = fused
        objective.zero_grad()
        (objective.token_losses(batch) * weights).sum().backward()
        found.append({name: p.grad.clone() for name, p in trainable(objective).items() if p.grad is not None})
    for name, expected in found[1].items():
        assert (found[0][name] - expected).abs().max() <= 1e-4 * expected.abs().max() + 1e-9, name


def test_a_model_that_bends_its_scores_keeps_its_own_output_layer(tmp_path: Path, rows: Path) -> None:
    from transformers import GraniteConfig, GraniteForCausalLM

    config = GraniteConfig(
        vocab_size=128, hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=4, logits_scaling=3.0,
    )  # fmt: skip
    GraniteForCausalLM(config).save_pretrained(tmp_path)
    ref = ModelRef(path=str(tmp_path), name="granite", fingerprint="f")
    objective = Objective(load_for_training(ref, LORA, "fp32", 7)).eval()
    assert not objective.fused
    batch = collate(read_split(rows, "train"), [0, 1], torch.device("cpu"))
    logits = objective.model(input_ids=batch.tokens, use_cache=False).logits.flatten(0, 1)[batch.positions]
    expected = torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum")
    assert objective(batch).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_batch_loses_what_its_rows_lose_alone(reference: ModelRef, rows: Path) -> None:
    objective = Objective(load_for_training(reference, LORA, "fp32", 7)).eval()
    split, cpu = read_split(rows, "train"), torch.device("cpu")
    together = objective(collate(split, list(range(10)), cpu))
    alone = sum(objective(collate(split, [row], cpu)) for row in range(10))
    assert together.item() == pytest.approx(float(alone), rel=1e-5)


@pytest.mark.parametrize("path", ["sdpa", "eager"])
@pytest.mark.parametrize("method", [LORA, FULL], ids=["lora", "full"])
def test_a_batch_teaches_what_its_rows_teach_alone(reference: ModelRef, rows: Path, method: Method, path: str) -> None:
    objective = Objective(load_for_training(reference, without_dropout(method), "fp32", 7))
    objective.model.set_attn_implementation(path)  # type: ignore[operator]
    split, cpu = read_split(rows, "train"), torch.device("cpu")
    found = []
    for batches in ([list(range(10))], [[row] for row in range(10)]):
        objective.zero_grad()
        for batch in batches:
            objective(collate(split, batch, cpu)).backward()
        found.append({name: p.grad.clone() for name, p in trainable(objective).items() if p.grad is not None})
    together, alone = found
    for name, expected in alone.items():
        assert (together[name] - expected).norm() <= 1e-4 * expected.norm() + 1e-9, name


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
