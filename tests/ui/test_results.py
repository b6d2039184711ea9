"""After the run: the version and its verdict."""

from __future__ import annotations

import pytest

from engine.plan.models import starter_path
from engine.results.evaluation import Evaluation, Paired, Scores
from engine.results.versions import Version
from engine.spec.records import RunState
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


def version(run: str = "run-1", number: str = "v1.0.0") -> Version:
    return Version(
        id=f"{run}-{number}",
        number=number,
        name="Support",
        run=run,
        made=0.0,
        model="starter",
        model_path=str(starter_path()),
        model_fingerprint="",
        dataset="support",
        dataset_id="d",
        dataset_hash="h",
        prepared="p",
        method="lora",
        profile="customer-support",
        precision="fp32",
        whole=False,
        steps=200,
        metrics={"validation_loss": 0.7},
    )


def paired() -> Paired:
    return Paired(difference=0.21, low=0.14, high=0.28, p_value=0.0004, test="exact")


def evaluation() -> Evaluation:
    return Evaluation(
        run="e",
        version="run-1-v1.0.0",
        base=Scores(exact_match=0.1, token_f1=0.3, perplexity=20.0, examples=120),
        tuned=Scores(exact_match=0.31, token_f1=0.8, perplexity=2.0, examples=120),
        exact_match=paired(),
        token_f1=paired(),
        loss=paired(),
        p_value=0.0004,
        outcome="better",
        verdict="The tuned model is better than its base: exact match +21 points.",
        examples=(),
    )


async def test_a_completed_run_offers_measuring_and_talking(show, engine: FakeEngine):
    engine.runs.make("Support", RunState.COMPLETED, steps=200)
    engine.outcomes.versions.set((version(),))
    client = await show("/runs/run-1")
    assert client.says("Support v1.0.0") and client.says("tuned model")
    await client.press("Measure it")
    await client.until(lambda: client.says("Base and tuned model are answering the held-out rows."))
    await client.press("Talk to it")
    await client.until(lambda: client.page.route.startswith("/playground/"))


async def test_a_verdict_comes_with_both_models_numbers(show, engine: FakeEngine):
    engine.runs.make("Support", RunState.COMPLETED, steps=200)
    engine.outcomes.versions.set((version(),))
    engine.outcomes.evaluations["run-1-v1.0.0"] = evaluation()
    client = await show("/runs/run-1")
    for words in ("exact match +21 points", "base 10 %", "tuned 31 %", "tuned 2"):
        assert client.says(words), words
