"""What fits at most: found by halving, and right to the last example and token."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as some

from engine.plan.facts import DataFacts
from engine.plan.memory import load_of, memory_parts
from engine.plan.solver import STEP, largest, limits_of
from tests.plan.facts import LLAMA_3_8B, data
from tests.plan.made import lora, qlora, training


@given(most=some.integers(0, 5000), threshold=some.integers(-10, 6000))
def test_the_largest_that_fits_is_found(most: int, threshold: int) -> None:
    assert largest(lambda number: number <= threshold, most) == max(0, min(most, threshold))


@settings(max_examples=40, deadline=None)
@given(
    budget=some.floats(1e9, 2e11),
    longest=some.integers(16, 4096),
    checkpointing=some.booleans(),
    method=some.sampled_from([lora(), qlora()]),
)
def test_one_more_than_the_limit_does_not_fit(budget: float, longest: int, checkpointing: bool, method) -> None:
    numbers = training(2, longest, checkpointing=checkpointing)
    known = data(1000, longest=longest, trained=1.0)
    found = limits_of(LLAMA_3_8B, known, method, numbers, "gpu", budget)

    def needed(examples: int, tokens: int) -> float:
        asked = msgspec.structs.replace(
            numbers, micro_batch=examples, batch_size=max(examples, numbers.batch_size), max_length=tokens
        )
        load = load_of(msgspec.structs.replace(known, longest=tokens), asked, method)
        return sum(part.amount for part in memory_parts(LLAMA_3_8B, method, asked, load, "gpu"))

    if found.micro_batch:
        assert needed(found.micro_batch, longest) <= budget
    assert found.micro_batch == 4096 or needed(found.micro_batch + 1, longest) > budget
    if found.max_length:
        assert needed(2, found.max_length) <= budget
    assert found.max_length >= LLAMA_3_8B.context or needed(2, found.max_length + STEP) > budget


def test_more_memory_never_allows_less() -> None:
    numbers, known = training(1, 512), DataFacts.stand_in(512)
    found = [limits_of(LLAMA_3_8B, known, lora(), numbers, "gpu", gb * 1e9) for gb in (4, 20, 24, 40, 80, 140)]
    assert [each.micro_batch for each in found] == sorted(each.micro_batch for each in found)
    assert [each.max_length for each in found] == sorted(each.max_length for each in found)
    assert found[0].micro_batch == found[0].max_length == 0 < found[-1].micro_batch
