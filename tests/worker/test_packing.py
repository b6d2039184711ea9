"""Rows packed end to end: they teach what each teaches alone, on every path, and where they cannot, they are padded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.spec.files import LineReader, read_struct
from engine.spec.folder import RunFolder
from engine.spec.methods import Method, Prefix
from engine.spec.prepared import read_split
from engine.spec.records import Event
from engine.spec.runspec import ModelRef
from engine.worker import attention, products, way
from engine.worker.loading import enable_checkpointing
from engine.worker.methods import load_for_training
from engine.worker.model import trainable
from engine.worker.objective import Objective, collate
from engine.worker.stepping import Stepper
from engine.worker.way import Way
from tests.making import FULL, LORA, METHODS, QLORA, train_spec, without_dropout
from tests.worker.loop import losses, run_through
from tests.worker.test_preferences import DPO
from tests.worker.test_preferences import spec_for as preference_spec

CPU = torch.device("cpu")
SIZES = {
    "vocab_size": 128, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 128,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    "Llama": {},
    "Mistral": {"sliding_window": 7},
    "Qwen3": {"sliding_window": 7, "use_sliding_window": True, "max_window_layers": 1},
    "Gemma3Text": {"sliding_window": 7, "layer_types": ["sliding_attention", "full_attention"]},
    "Phi3": {"pad_token_id": 0, "sliding_window": 7},
}
REFUSED: dict[str, dict[str, Any]] = {
    "Gemma2": {"sliding_window": 7, "attn_logit_softcapping": 5.0},
    "Mamba": {"state_size": 4},
}


def made(place: Path, family: str, **more: Any) -> Objective:
    import transformers

    torch.manual_seed(0)
    names = {"Gemma3Text": "Gemma3ForCausalLM"}
    config = getattr(transformers, f"{family}Config")(**(SIZES | more))
    getattr(transformers, names.get(family, f"{family}ForCausalLM"))(config).save_pretrained(place)
    objective = Objective(load_for_training(ModelRef(path=str(place), name=family, fingerprint="f"), FULL, "fp32", 7))
    for name, parameter in objective.named_parameters():
        if parameter.dim() == 1:  # norms begin at one value for all: differences would not show
            torch.nn.init.uniform_(parameter, 0.5, 1.5, generator=torch.Generator().manual_seed(len(name)))
    return objective


def gradients(objective: Objective, rows: Path, batches: list[list[int]], *, packed: bool) -> dict[str, torch.Tensor]:
    objective.zero_grad()
    split = read_split(rows, "train")
    for batch in batches:
        objective(collate(split, batch, CPU, packed=packed)).backward()
    return {name: each.grad.clone() for name, each in trainable(objective).items() if each.grad is not None}


@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "checkpointed"])
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_rows_teach_what_rows_teach_alone(tmp_path: Path, rows: Path, family: str, checkpointing: bool) -> None:
    objective = made(tmp_path, family, **FAMILIES[family])
    if checkpointing:
        enable_checkpointing(objective.model)
    alone = gradients(objective, rows, [[row] for row in range(10)], packed=False)
    assert way.go(Way(packed=True), objective)
    for packed, batches in ((True, [list(range(10))]), (False, [list(range(10))]), (True, [[4], [0, 9, 2]])):
        found = gradients(objective, rows, batches, packed=packed)
        expected = alone if len(batches) == 1 else gradients(objective, rows, [[4], [0], [9], [2]], packed=True)
        for name, value in expected.items():
            assert (found[name] - value).norm() <= 1e-4 * value.norm() + 1e-7, name


@pytest.mark.parametrize("family", REFUSED)
def test_models_that_attend_otherwise_keep_padded_rows(tmp_path: Path, rows: Path, family: str) -> None:
    objective = made(tmp_path, family, **REFUSED[family])
    before = gradients(objective, rows, [[3, 1]], packed=False)
    assert not way.go(Way(packed=True), objective)
    after = gradients(objective, rows, [[3, 1]], packed=False)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_rows_that_see_each_other_are_noticed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objective = Objective(load_for_training(ModelRef(path=str(model), name="", fingerprint=""), FULL, "fp32", 7))
    attend = attention.attend
    monkeypatch.setattr(attention, "attend", lambda *given, **more: attend(*given, **(more | {"lengths": None})))
    assert not way.go(Way(packed=True), objective)


@pytest.mark.parametrize("method", [LORA, QLORA, FULL], ids=["lora", "qlora", "full"])
def test_packing_changes_no_loss(tmp_path: Path, model: Path, rows: Path, method: Method) -> None:
    found = [
        run_through(tmp_path / packing, train_spec(model, rows, without_dropout(method), packing=packing), [])
        for packing in ("on", "off")
    ]
    packed, padded = (losses(folder) for folder in found)
    assert packed == pytest.approx(padded, abs=1e-5)
    assert max(losses(found[0], "padding_share").values()) == 0 < max(losses(found[1], "padding_share").values())


def test_packed_pairs_are_preferred_as_padded_ones(tmp_path: Path, model: Path, pairs: Path) -> None:
    found = [
        losses(run_through(tmp_path / packing, preference_spec(model, pairs, DPO, packing=packing), []))
        for packing in ("on", "off")
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-5)


def said(folder: RunFolder) -> list[str]:
    return [event.message for event in LineReader(folder.events_file, Event).read() if event.kind == "way"]


def test_measuring_leaves_no_trace_and_a_resumed_run_goes_the_same_way(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "faster", lambda _threads: False)
    padded = run_through(tmp_path / "off", train_spec(model, rows, packing="off"), [])
    speed = {True: 2.0, False: 1.0}
    tried: list[bool] = []
    real = Stepper.seconds

    def timed(stepper: Stepper, pieces: Any, *, packed: bool) -> float:
        real(stepper, pieces, packed=packed)
        tried.append(packed)
        return speed[packed]

    monkeypatch.setattr(Stepper, "seconds", timed)
    measured = train_spec(model, rows, packing="measured")
    folder = run_through(tmp_path / "measured", measured, [(7, "pause")])
    assert tried == [True, False]
    assert losses(folder) == losses(padded)
    assert said(folder) == ["Steps are computed with rows padded to equal length."]
    assert read_struct(folder.way_file, Way).seconds == {
        "rows packed end to end": 2.0,
        "rows padded to equal length": 1.0,
    }
    speed[True] = 0.5
    packed = run_through(tmp_path / "packed", measured, [])
    assert max(losses(packed, "padding_share").values()) == 0
    assert losses(packed) == losses(run_through(tmp_path / "on", train_spec(model, rows, packing="on"), []))


def test_layers_are_compiled_where_that_is_faster_and_a_compiler_that_fails_is_left_out(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = run_through(tmp_path / "plain", train_spec(model, rows, without_dropout(LORA)), [])
    spec = train_spec(model, rows, without_dropout(LORA), compilation="measured")
    monkeypatch.setattr(way, "COMPILER", "no such backend")
    folder = run_through(tmp_path / "failing", spec, [])
    assert losses(folder) == losses(plain) and not read_struct(folder.way_file, Way).compiled
    monkeypatch.setattr(way, "COMPILER", "eager")
    times = iter((2.0, 1.0))
    real = Stepper.seconds
    monkeypatch.setattr(Stepper, "seconds", lambda *given, **more: (real(*given, **more), next(times))[1])
    folder = run_through(tmp_path / "compiled", spec, [])
    assert read_struct(folder.way_file, Way).compiled
    assert losses(folder) == pytest.approx(losses(plain), abs=1e-5)


def test_prompt_methods_and_several_processes_measure_nothing(model: Path, rows: Path) -> None:
    numbers = train_spec(model, rows, packing="measured", compilation="measured").job.training  # type: ignore[union-attr]
    assert way.ways(numbers, LORA, alone=False) == [Way()]
    prefix = METHODS["prefix"]
    assert isinstance(prefix, Prefix)
    assert way.ways(numbers, prefix, alone=True) == [Way(), Way(compiled=True)]
    assert len(way.ways(numbers, LORA, alone=True)) == 4
