"""Products by oneDNN: the same numbers as PyTorch's own up to rounding, and one choice for the whole of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.spec.files import read_struct, write_struct
from engine.spec.methods import Method
from engine.worker import products, way
from engine.worker.way import Way
from tests.making import FULL, LORA, METHODS, QLORA, run_folder, train_spec
from tests.worker.loop import attempt, losses, run_through


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What a test sets is for itself; smaller products than usual go to oneDNN."""
    before, smallest = products.in_use(), products.SMALLEST
    products.SMALLEST = 0
    yield
    products.SMALLEST = smallest
    products.use(before)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """The shapes of what oneDNN was given: at these sizes its results differ in no bit."""
    given: list[torch.Size] = []
    real = products._by_onednn

    def counted(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        given.append(x.shape)
        return real(x, weight, bias)

    monkeypatch.setattr(products, "_by_onednn", counted)
    return given


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal to a product in 64 bits, as nearly as 32 bits allow."""
    assert found.dtype == torch.float32 and found.shape == expected.shape
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 70), st.integers(1, 70), st.booleans(), st.booleans())
def test_products_are_those_in_64_bits(rows: int, inside: int, outside: int, biased: bool, deep: bool) -> None:
    x = drawn(2, rows, inside) if deep else drawn(rows, inside)
    weight, bias = drawn(outside, inside), drawn(outside) if biased else None
    gradient = drawn(*x.shape[:-1], outside)
    exact = x.double() @ weight.double().T + (bias.double() if bias is not None else 0.0)
    for fast in (True, False):
        products.use(fast)
        close(products.forward(x, weight, bias), exact)
        close(products.backward(gradient, weight), gradient.double() @ weight.double())
        columns = products.of_columns(gradient.flatten(0, -2), x.flatten(0, -2))
        close(columns, gradient.flatten(0, -2).double().T @ x.flatten(0, -2).double())


@pytest.mark.parametrize("frozen", [True, False])
def test_a_layer_has_the_gradients_of_a_plain_one(frozen: bool) -> None:
    layer, x = nn.Linear(33, 20), drawn(3, 7, 33)
    layer.requires_grad_(not frozen)
    found = []
    products.use(True)
    for installed in (False, True):
        if installed:
            products.install(layer)
        layer.zero_grad()
        given_x = x.clone().requires_grad_()
        layer(given_x).square().sum().backward()
        found.append([given_x.grad, layer.weight.grad, layer.bias.grad])
    for theirs, ours in zip(*found, strict=True):
        assert (theirs is None) == (ours is None)
        if theirs is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_other_precisions_and_small_products_stay_with_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    products.use(True)
    monkeypatch.setattr(products, "_by_onednn", None)  # whoever calls it fails
    half = drawn(4, 8).bfloat16()
    assert products.forward(half, drawn(5, 8).bfloat16()).dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert products.forward(drawn(4, 8), drawn(5, 8)).dtype == torch.bfloat16
    products.SMALLEST = 10_000
    products.forward(drawn(4, 8), drawn(5, 8))
    with pytest.raises(TypeError):
        products.forward(drawn(40, 80), drawn(50, 80))


@pytest.mark.parametrize("method", [LORA, METHODS["dora"], QLORA, FULL], ids=["lora", "dora", "qlora", "full"])
def test_who_computes_changes_no_loss(
    tmp_path: Path, model: Path, rows: Path, method: Method, calls: list[torch.Size], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for fast in (True, False):
        products.use(False)
        monkeypatch.setattr(products, "faster", lambda _threads, fast=fast: fast)
        folder = run_through(tmp_path / str(fast), train_spec(model, rows, method), [])
        assert read_struct(folder.way_file, Way).onednn == fast == products.in_use()
        assert bool(calls) == fast
        calls.clear()
        found.append(losses(folder))
    assert found[0] == pytest.approx(found[1], abs=1e-4)


def test_a_resumed_run_keeps_to_its_library(
    tmp_path: Path, model: Path, rows: Path, calls: list[torch.Size], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "faster", lambda _threads: True)
    whole = losses(run_through(tmp_path / "whole", train_spec(model, rows, LORA), []))
    folder = run_folder(tmp_path / "cut", train_spec(model, rows, LORA))
    attempt(folder, 0, 9, "pause")
    monkeypatch.setattr(products, "faster", lambda _threads: False)
    products.use(False)
    calls.clear()
    attempt(folder, 1)
    assert calls
    assert losses(folder) == whole


def test_a_way_from_another_build_of_pytorch_is_gone_without_onednn(
    tmp_path: Path, model: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "_available", lambda: False)
    products.faster.cache_clear()
    assert not products.faster(2)
    products.faster.cache_clear()
    folder = run_folder(tmp_path / "run", train_spec(model, rows, LORA))
    write_struct(folder.way_file, Way(onednn=True))
    attempt(folder, 0)
    assert losses(folder) and not products.in_use()


def test_the_choice_is_among_the_ways() -> None:
    assert Way(packed=True, onednn=True).words == "rows packed end to end, products by oneDNN"
    assert way.padded(Way(packed=True, compiled=True, onednn=True)) == Way(onednn=True)


def test_a_model_that_only_answers_is_quickened(monkeypatch: pytest.MonkeyPatch, calls: list[torch.Size]) -> None:
    monkeypatch.setattr(products, "faster", lambda _threads: True)
    layer = nn.Linear(33, 20).requires_grad_(False)
    x = drawn(3, 7, 33)
    expected = layer(x)
    with torch.no_grad():
        torch.testing.assert_close(products.quicken(layer)(x), expected)
    assert calls == [x.shape]
