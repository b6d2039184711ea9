"""How a model is held for conversations: the most exact way that fits, and what to do when none does."""

from __future__ import annotations

import msgspec
import pytest

from engine.core.errors import ModelError
from engine.plan.hosting import held_in, holding
from engine.plan.models import read_base_model, starter_path
from tests.ui.fake_engine import HARDWARE

STARTER = read_base_model(starter_path())
SEVEN = msgspec.structs.replace(
    STARTER, name="seven", parameters=7_000_000_000, hidden=4096, layers=32, heads=32, kv_heads=8, head_dim=128,
    vocabulary=32_000, weight_bytes=14_000_000_000, tied=False, context=8192,
)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "free", "held"),
    [
        (STARTER, 10e9, "32 bits"),
        (SEVEN, 80e9, "16 bits"),
        (SEVEN, 32e9, "8 bits"),
        (SEVEN, 25e9, "4 bits"),
    ],
    ids=["a small model", "much memory", "little", "less"],
)
def test_the_most_exact_way_that_fits_is_taken(model, free: float, held: str) -> None:
    found = holding(model, msgspec.structs.replace(HARDWARE, memory_free=int(free)))
    assert held_in(found.precision, found.quantization) == held
    assert found.memory <= found.budget == int(0.8 * free)


def test_less_memory_never_gives_a_more_exact_way() -> None:
    order = ["4 bits", "8 bits", "16 bits"]
    places = []
    for free in range(24, 60):
        found = holding(SEVEN, msgspec.structs.replace(HARDWARE, memory_free=free * 10**9))
        places.append(order.index(held_in(found.precision, found.quantization)))
    assert places == sorted(places) and set(places) == {0, 1, 2}


def test_a_model_that_does_not_fit_at_all_is_refused_with_the_numbers_and_a_way_out() -> None:
    with pytest.raises(ModelError) as error:
        holding(SEVEN, msgspec.structs.replace(HARDWARE, memory_free=4 * 10**9))
    assert "3.2 GB can be used" in error.value.card.why and "4 bits" in error.value.card.why
    assert len(error.value.card.actions) == 2
