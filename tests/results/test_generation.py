"""Generation in batches, with what prompts share computed once, says what one-by-one `generate` of the library says."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.spec.runspec import AdapterRef, ModelRef
from engine.worker.evaluation import answers_of
from engine.worker.generation import Sampling, _choose, _penalised, generate, grouped, learned_positions
from engine.worker.methods import adapted
from engine.worker.model import attach, load_base, using
from tests.making import METHODS, VOCABULARY

END = (2,)


def prompts(count: int, shared: int, seed: int = 1, longest: int = 30) -> list[list[int]]:
    """Prompts of different lengths that begin alike."""
    dice = random.Random(seed)
    start = [dice.randrange(3, VOCABULARY) for _ in range(shared)]
    return [start + [dice.randrange(3, VOCABULARY) for _ in range(dice.randint(3, longest))] for _ in range(count)]


def one_by_one(model: torch.nn.Module, asked: list[list[int]], most: int) -> list[list[int]]:
    """The library's own greedy answers."""
    said = []
    for prompt in asked:
        ids = torch.tensor([prompt])
        out = model.generate(  # type: ignore[operator]
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=most, do_sample=False, pad_token_id=0,
            eos_token_id=2, use_cache=True,
        )  # fmt: skip
        said.append(out[0, len(prompt) :].tolist())
    return said


@pytest.fixture(scope="module")
def base(model: Path) -> torch.nn.Module:
    """The tiny model, with enough spread in its scores that no two are as good as equal."""
    loaded = load_base(ModelRef(path=str(model), name="tiny", fingerprint=""), "fp32").eval()
    with torch.no_grad():
        for weight in loaded.parameters():
            weight.mul_(2.5)
    return loaded


@pytest.mark.parametrize("shared", [0, 4, 20], ids=["nothing shared", "too little to share", "a prefix shared"])
def test_a_batch_answers_as_the_library_does_one_by_one(base: torch.nn.Module, shared: int) -> None:
    asked = prompts(17, shared)
    said = answers_of(base, asked, max_new_tokens=24, end_tokens=END)
    assert said == one_by_one(base, asked, 24)


def test_answers_that_end_leave_the_batch_and_the_others_go_on(base: torch.nn.Module) -> None:
    asked = prompts(12, 16, seed=3)
    likely = one_by_one(base, asked, 12)
    ends = {2, likely[0][1], likely[5][3]}  # some answers end early
    said = answers_of(base, asked, max_new_tokens=12, end_tokens=tuple(ends))
    assert len({len(tokens) for tokens in said}) > 2
    for tokens, whole in zip(said, likely, strict=True):
        stop = next((i + 1 for i, token in enumerate(whole) if token in ends), len(whole))
        assert tokens == whole[:stop]


def test_a_repetition_penalty_and_the_draw_are_the_librarys(base: torch.nn.Module) -> None:
    from transformers import RepetitionPenaltyLogitsProcessor, TopKLogitsWarper, TopPLogitsWarper

    [asked] = prompts(1, 0, seed=8)
    sampling = Sampling(temperature=0.0, top_p=1.0, top_k=0, repetition_penalty=1.7, seed=0)
    said = [step[0] for step in generate(base, [asked], max_new_tokens=20, end_tokens=END, sampling=sampling)]
    ids = torch.tensor([asked])
    out = base.generate(  # type: ignore[operator]
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, do_sample=False, pad_token_id=0,
        eos_token_id=2, repetition_penalty=1.7,
    )  # fmt: skip
    assert said == out[0, len(asked) :].tolist()
    assert said != one_by_one(base, [asked], 20)[0]
    scores = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(2)) * 3
    read: Any = ids
    wanted = TopPLogitsWarper(0.8)(read, TopKLogitsWarper(6)(read, scores / 0.7)).softmax(-1)[0]
    sampling = Sampling(temperature=0.7, top_p=0.8, top_k=6, repetition_penalty=1.0, seed=0)
    dice = torch.Generator().manual_seed(0)
    drawn = torch.stack([_choose(scores, sampling, dice)[0] for _ in range(4000)])
    assert torch.allclose(torch.bincount(drawn, minlength=VOCABULARY) / 4000, wanted, atol=0.03)
    assert set(drawn.tolist()) <= set(wanted.nonzero().flatten().tolist())
    assert RepetitionPenaltyLogitsProcessor(1.7)(read, scores).equal(_penalised(scores.clone(), [set(asked)], 1.7))


@pytest.mark.parametrize("method", ["lora", "prefix", "prompt"])
def test_an_adapter_answers_as_the_library_does(
    base: torch.nn.Module, model: Path, tmp_path: Path, method: str
) -> None:
    fresh = load_base(ModelRef(path=str(model), name="tiny", fingerprint=""), "fp32")
    trained = adapted(fresh, METHODS[method], seed=5)
    with torch.no_grad():
        for weight in trained.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)) * 0.5)
    trained.save_pretrained(tmp_path)  # type: ignore[operator]
    tuned = attach(load_base(ModelRef(path=str(model), name="tiny", fingerprint=""), "fp32").eval(), ref(tmp_path))
    asked = prompts(9, 12, seed=4)
    with using(tuned, "v1.0") as speaking:
        groups = grouped(speaking, asked, 8)
        said: dict[int, list[int]] = {}
        for group in groups:
            answers = answers_of(speaking, [asked[i] for i in group], max_new_tokens=10, end_tokens=END)
            said |= dict(zip(group, answers, strict=True))
        assert [said[i] for i in range(9)] == one_by_one(speaking, asked, 10)
        assert bool(learned_positions(speaking)) is (method != "lora")
        mixed = any(len({len(asked[i]) for i in group}) > 1 for group in groups)
        assert mixed is (method == "lora")  # padding between learned positions and the text would move them apart
    with using(tuned, None) as bare:
        plain = load_base(ModelRef(path=str(model), name="tiny", fingerprint=""), "fp32").eval()
        assert answers_of(bare, asked, max_new_tokens=6, end_tokens=END) == one_by_one(plain, asked, 6)


def ref(folder: Path) -> AdapterRef:
    return AdapterRef(name="v1.0", path=str(folder))


def test_every_prompt_is_in_one_group_of_near_lengths(base: torch.nn.Module) -> None:
    asked = prompts(100, 0, seed=6, longest=200)
    groups = grouped(base, asked, 16)
    assert sorted(i for group in groups for i in group) == list(range(100))
    for group in groups:
        lengths = [len(asked[i]) for i in group]
        assert len(group) <= 16 and max(lengths) <= 1.3 * min(lengths)
