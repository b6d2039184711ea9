"""After the run: the version, its verdict, and the playground."""

from __future__ import annotations

import asyncio

import anyio
import flet as ft
import pytest

from engine.core.errors import RunError
from engine.results.evaluation import Evaluation, Paired, Scores
from engine.results.versions import Version
from engine.spec.records import RunState
from tests.ui.client import Client
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
        model_path="/models/starter",
        model_fingerprint="f",
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


async def talking(show, engine: FakeEngine) -> Client:
    engine.outcomes.versions.set((version(),))
    client = await show("/playground")
    await client.until(lambda: client.says("Ask something."))
    await client.until(lambda: not client.says("Loading the model into memory…"))
    return client


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


@pytest.mark.parametrize("width", [1440, 375])
async def test_both_models_answer_the_same_prompt(show, engine: FakeEngine, width):
    engine.outcomes.versions.set((version(),))
    client = await show("/playground", width)
    await client.until(lambda: client.says("Ask something."))
    await client.type("Ask both models", "Do you have plums?")
    await client.press("Send")
    await client.until(lambda: client.says("We have plums.") and client.says("I am a base."))
    await client.until(lambda: sum("42 tokens/s" in words for words in client.words()) == 2)
    assert [(prompt, adapter) for prompt, adapter, _ in engine.hosts.host.asked] == [
        ("Do you have plums?", "run-1-v1.0.0"),
        ("Do you have plums?", None),
    ]


async def test_answers_appear_word_by_word(show, engine: FakeEngine):
    client = await talking(show, engine)
    engine.hosts.host.go_on = anyio.Event()
    task = asyncio.create_task(client.press("Do you have plums?"))
    await client.until(lambda: client.says("We "))
    assert not client.says("We have plums.")
    engine.hosts.host.go_on.set()
    await client.until(lambda: client.says("We have plums."))
    await task


async def test_the_prompt_is_emptied_after_sending(show, engine: FakeEngine):
    client = await talking(show, engine)
    await client.type("Ask both models", "Hello")
    await client.press("Send")
    await client.until(lambda: client.says("We have plums."))
    assert client.find(ft.TextField, hint_text="Ask both models")[0].value == ""


async def test_a_conversation_stays_while_pages_change(show, engine: FakeEngine):
    client = await talking(show, engine)
    await client.press("And pears?")
    await client.until(lambda: client.says("I am a base."))
    await client.go("/runs")
    await client.go("/playground")
    await client.until(lambda: client.says("We have plums."))


async def test_a_changed_temperature_is_used(show, engine: FakeEngine):
    client = await talking(show, engine)
    await client.type("Temperature", "0.5")
    await client.press("And pears?")
    await client.until(lambda: len(engine.hosts.host.asked) == 2)
    assert {temperature for _, _, temperature in engine.hosts.host.asked} == {0.5}


async def test_a_model_that_cannot_be_loaded_is_explained_and_tried_again(show, engine: FakeEngine):
    engine.outcomes.versions.set((version(),))
    engine.hosts.problem = RunError("No memory is left.", "It needs 3 GB.", "Close programs.")
    client = await show("/playground")
    await client.until(lambda: client.says("No memory is left. It needs 3 GB."))
    engine.hosts.problem = None
    await client.press("Try again")
    await client.until(lambda: not client.says("No memory is left. It needs 3 GB."))


async def test_versions_are_listed_with_where_they_came_from(show, engine: FakeEngine):
    engine.outcomes.versions.set((version(), version("run-2", "v1.1.0")))
    client = await show("/versions")
    assert client.says("Support v1.0.0") and client.says("Support v1.1.0")
    assert client.says("held-out loss 0.7")
