"""What the wizard shows of a plan: methods, objectives, memory, costs, limits, alternatives, and refusals."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import anyio
import flet as ft
import pytest

from engine.plan.costs import USUAL_TARIFF, Energy, energy
from engine.plan.methods import TABLE
from engine.plan.solver import Limits
from engine.spec.records import Fact
from studio.kit.fields import NUMBER_REST
from studio.pages.wizard_method import offered
from studio.pages.wizard_needs import electricity, grams, limit_words, price
from studio.pages.wizard_state import edits_that_fit
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_wizard import at_settings, pairs

pytestmark = pytest.mark.anyio


def judged(folder: Path, count: int = 40) -> Path:
    """Questions with a better and a worse answer."""
    file = folder / "better.jsonl"
    rows = [{"prompt": f"What is {n} and one?", "chosen": f"It is {n + 1}.", "rejected": "No."} for n in range(count)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


async def at_preferences(show, engine: FakeEngine, folder: Path) -> Client:
    """The settings step over preference data, entered from the data's page."""
    dataset = await engine.library.add(judged(folder), "better")
    client = await show(f"/data/{dataset.id}")
    await client.press("Fine-tune with it")
    await client.until(lambda: client.says("Which model do you start from?"))
    await client.press("starter")
    await client.press("Continue to Settings")
    await client.until(lambda: client.says("What matters most"), seconds=10)
    return client


async def select(client: Client, label: str, key: str) -> None:
    await client.event(client.find(ft.DropdownM2, label=label)[0], "change", key)
    await client.settle(20)


def options(client: Client, label: str) -> list[str]:
    return [str(each.key) for each in client.find(ft.DropdownM2, label=label)[0].options or ()]


async def test_methods_are_those_of_the_plan_with_when_and_cost(show, tmp_path):
    client = await at_settings(show, tmp_path)
    assert options(client, "Method") == ["", *(name for name in TABLE if TABLE[name].level != "expert")]
    await select(client, "Method", "dora")
    dora = TABLE["dora"]
    for words in ("DoRA", dora.what, "When to use it", dora.when, "What it costs", dora.cost):
        assert client.says(words), words


async def test_methods_for_experts_come_with_all_settings(show, tmp_path):
    client = await at_settings(show, tmp_path)
    assert "tuner" not in options(client, "Method")
    await client.press(next(str(x.content) for x in client.find(ft.TextButton) if "Show all" in str(x.content)))
    assert "tuner" in options(client, "Method")
    assert {each.level for each in offered(True)} == {"essential", "advanced", "expert"}


async def test_methods_stand_side_by_side_on_demand_and_are_taken_by_a_press(show, tmp_path, engine: FakeEngine):
    client = await at_settings(show, tmp_path)
    assert not client.says(TABLE["ia3"].cost)
    await client.press("Compare all methods")
    for each in offered(False):
        assert client.says(each.cost), each.name
    await client.press("Method IA3")
    await client.press("Continue to Review")
    await client.press("Start training")
    await client.until(lambda: bool(engine.started))
    assert engine.started[0].method == "ia3"


@pytest.mark.parametrize("method", [name for name in TABLE if name != "tuner"])
async def test_every_method_can_be_reviewed_by_its_name(show, tmp_path, method):
    client = await at_settings(show, tmp_path)
    await select(client, "Method", method)
    await client.press("Continue to Review")
    assert client.says("Before the start") and client.says(TABLE[method].title)


async def test_rows_without_comparison_leave_no_choice_of_objective(show, tmp_path):
    client = await at_settings(show, tmp_path)
    assert client.says("Imitation") and not client.find(ft.DropdownM2, label="Objective")


async def test_pairs_can_be_learned_in_three_ways(show, tmp_path, engine: FakeEngine):
    client = await at_preferences(show, engine, tmp_path)
    assert options(client, "Objective") == ["sft", "dpo", "orpo"]
    assert client.says("The chosen answer becomes more likely than the rejected one")
    for objective, examples in (("orpo", "32"), ("sft", "32")):
        await select(client, "Objective", objective)
        await client.until(lambda: client.says("What matters most"), seconds=10)
        await client.press("Continue to Review")
        await client.until(lambda: client.says("Before the start"))
        assert client.says(examples)
        await client.press("Back")
    await client.press("Continue to Review")
    await client.press("Start training")
    await client.until(lambda: bool(engine.started))
    assert (engine.started[0].objective, engine.started[0].data.layout) == ("sft", "rows")


async def test_another_method_keeps_the_objective(show, tmp_path, engine: FakeEngine):
    client = await at_preferences(show, engine, tmp_path)
    await select(client, "Objective", "orpo")
    await client.until(lambda: client.find(ft.DropdownM2, label="Method"), seconds=10)
    await select(client, "Method", "rslora")
    await client.until(lambda: client.find(ft.DropdownM2, label="Objective"))
    assert client.find(ft.DropdownM2, label="Objective")[0].value == "orpo"


async def test_review_shows_memory_in_bars_costs_and_limits(show, tmp_path, engine: FakeEngine):
    client = await at_settings(show, tmp_path)
    await client.press("Continue to Review")
    for words in ("What it needs", "Model weights", "Optimizer", "Electricity", "Carbon dioxide", "fit at once."):
        assert client.says(words), words
    bars = [str(each.semantics_label) for each in client.find(ft.ProgressBar)]
    assert any(each.startswith("Model weights: ") for each in bars)


async def test_the_panel_says_why_so_much_memory_is_needed(show, tmp_path):
    client = await at_settings(show, tmp_path)
    assert not client.says("Model weights")
    await client.press("Why this much?")
    assert client.says("Model weights")


async def test_an_alternative_is_taken_over_by_one_press(show, tmp_path, engine: FakeEngine):
    client = await at_settings(show, tmp_path)
    title = next(words for words in client.words() if "epochs instead of" in words)
    fewer, before = title.split(" ")[0], title.split(" ")[-1]
    assert client.find(ft.TextField, label="Epochs")[0].value == before
    cards = client.find(ft.OutlinedButton, content="Take this one")
    shown = [words for words in client.words() if words in _titles(client)]
    await client.event(cards[shown.index(title)], "click")
    await client.until(lambda: client.find(ft.TextField, label="Epochs")[0].value == fewer)


def _titles(client: Client) -> list[str]:
    """Titles of the alternatives: the text before each difference."""
    words = client.words()
    return [words[at - 1] for at, each in enumerate(words) if " % time (" in each or " % memory (" in each]


async def test_an_impossible_combination_is_refused_and_the_way_back_is_offered(show, tmp_path):
    client = await at_settings(show, tmp_path)
    await client.press(next(str(x.content) for x in client.find(ft.TextButton) if "Show all" in str(x.content)))
    await select(client, "Optimizer", "adamw8bit")
    await client.until(lambda: client.says("The 8-bit optimizer needs an NVIDIA GPU."))
    assert client.says("Choose optimizer=adamw.")
    assert client.find(ft.DropdownM2, label="Method")
    await client.press("Take the suggested values again")
    await client.until(lambda: client.says("What matters most"))


async def test_every_width_shows_the_whole_review(show, tmp_path, engine: FakeEngine):
    await engine.library.add(pairs(tmp_path), "mine")
    for width in (1440, 1024, 375, 320):
        client = await show(f"/data/{engine.library.datasets.value[0].id}", width)
        await client.press("Fine-tune with it")
        await client.until(lambda client=client: client.says("Which model do you start from?"))
        await client.press("starter")
        await client.press("Continue to Settings")
        await client.until(lambda client=client: client.says("What matters most"), seconds=10)
        await client.press("Compare all methods")
        await client.press("Continue to Review")
        assert client.says("Or instead")


@pytest.mark.parametrize(
    "watts,seconds,words",
    [
        (300, 36_000, ("3 kWh", "0.90", "1.33 kg")),
        (50, 30, ("0.42 Wh", "under 0.01", "0.19 g")),
        (1, 0.01, ("under 0.01 Wh", "under 0.01", "under 0.01 g")),
    ],
    ids=["a night on a card", "half a minute", "nearly nothing"],
)
def test_electricity_is_said_in_a_fitting_unit(watts, seconds, words):
    made: Energy = energy(watts, seconds, USUAL_TARIFF)
    assert (electricity(made), price(made), grams(made.carbon_grams)) == words


@pytest.mark.parametrize(
    "limits,words",
    [
        (Limits(micro_batch=0, max_length=0), ["Not even one example fits this memory."]),
        (
            Limits(micro_batch=12, max_length=4096),
            [
                "At this length, at most 12 examples fit at once.",
                "With as many at once as planned, texts of at most 4,096 tokens fit.",
            ],
        ),
    ],
    ids=["nothing", "both"],
)
def test_limits_are_sentences(limits, words):
    assert limit_words(limits) == words


def test_only_settings_of_a_method_go_with_it():
    edits: dict[str, Fact] = {"rank": 8, "epochs": 2, "beta": 0.2, "virtual_tokens": 20}
    assert edits_that_fit(edits, "lora", "sft") == {"rank": 8, "epochs": 2}
    assert edits_that_fit(edits, "prefix", "dpo") == {"epochs": 2, "beta": 0.2, "virtual_tokens": 20}


def test_kinds_of_alternatives_all_have_words():
    from typing import get_args

    from engine.plan.alternatives import Kind
    from studio.pages.wizard_needs import KINDS

    assert set(get_args(Kind)) == set(KINDS)


async def test_a_form_that_is_edited_stays_while_the_data_is_counted_anew(
    show, tmp_path, engine: FakeEngine, monkeypatch
):
    client = await at_settings(show, tmp_path)
    counted, go_on = engine.library.facts, anyio.Event()

    async def slowly(*arguments: Any) -> Any:
        await go_on.wait()
        return await counted(*arguments)

    monkeypatch.setattr(engine.library, "facts", slowly)
    field = client.find(ft.TextField, label="Context length")[0]
    task = asyncio.create_task(client.event(field, "change", "128"))
    await client.until(lambda: client.says("Counting your data again…"))
    again = client.find(ft.TextField, label="Context length")[0]
    assert again._i == field._i and again.value == "128"  # the same field: it keeps the keyboard
    go_on.set()
    await client.until(lambda: not client.says("Counting your data again…"))
    assert client.says("What matters most")
    await task


def test_an_estimate_follows_a_number_within_a_fifth_of_a_second():
    assert NUMBER_REST <= 0.1  # planning itself takes milliseconds
