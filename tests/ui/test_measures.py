"""Every measure is explained where it stands, and a version has its own colour on the pages of its evaluations."""

from __future__ import annotations

import flet as ft
import msgspec
import pytest

from engine.results.deciding import STARS
from engine.results.metrics.measures import TABLE
from engine.spec.records import RunState
from studio.guides import terms_in
from studio.kit.pressed import Spoken
from studio.pages.compare_curves import METRICS
from studio.theme import LIGHT
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import a_version, evaluated, furnish
from tests.ui.test_results import version

pytestmark = pytest.mark.anyio
OTHERS = ("tokens/s", "Loss now", "Held-out loss", "Perplexity", "Held-out perplexity", "macro F1", "nats")
"""Measures that pages name outside of an evaluation."""


@pytest.fixture
def home(engine: FakeEngine) -> FakeEngine:
    return furnish(engine)


def explained(client: Client) -> dict[str, str]:
    """Terms on the screen and what screen readers say of them."""
    return {str(each.label): str(each.hint) for each in client.find(Spoken, focusable=True)}


@pytest.mark.parametrize("name", [*(each.title for each in (*TABLE.values(), STARS)), *METRICS.values(), *OTHERS])
def test_a_measure_has_an_entry_in_the_glossary(name: str):
    (known, *_) = terms_in(name)
    assert known.term != "Token" and known.meaning and known.example


async def test_the_measures_of_an_evaluation_are_explained_where_they_stand(show, home: FakeEngine):
    made = a_version(home, "run-1")
    found = evaluated(home, made, 0.8)
    client = await show(f"/versions/{made.id}")
    await client.until(lambda: client.says(found.verdict))
    await client.settle(60)
    told = explained(client)
    assert [each.measure.title for each in found.results if not told.get(each.measure.title)] == []
    assert "longest sequence" in told["ROUGE-L"]


async def test_the_measures_of_a_comparison_are_explained_where_they_stand(show, home: FakeEngine):
    versions = [a_version(home, f"run-{number}") for number in (1, 2)]
    for each in versions:
        evaluated(home, each, 0.8)
    client = await show("/compare?ids=" + ",".join(each.id for each in versions))
    await client.until(lambda: client.says("What they took"), seconds=10)
    await client.until(lambda: {"exact match", "Held-out loss"} <= set(explained(client)))


def drawn_in(client: Client, color: str) -> bool:
    """Whether something on the page itself has this colour."""
    boxes = any(each.bgcolor == color for each in client.find(ft.Container))
    bars = any(each.color == color for each in client.find(ft.ProgressBar))
    sides = [each.border.left for each in client.find(ft.Container) if each.border is not None]
    return boxes and bars and any(side is not None and side.color == color for side in sides)


async def test_a_second_version_has_its_own_colour_in_its_evaluation(show, home: FakeEngine):
    first, second = a_version(home, "run-1"), a_version(home, "run-2")
    for each in (first, second):
        evaluated(home, each, 0.8)
    for made, color, other in ((first, 0, 1), (second, 1, 0)):
        client = await show(f"/versions/{made.id}")
        await client.until(lambda client=client, color=color: drawn_in(client, LIGHT.versions[color]))
        assert not drawn_in(client, LIGHT.versions[other])
        assert client.find(ft.ProgressBar, color=LIGHT.versions[other]) == []


async def test_a_second_version_has_its_own_colour_on_the_page_of_its_run(show, engine: FakeEngine):
    folder = engine.runs.make("It", RunState.COMPLETED, steps=200)
    second = version(folder.id)
    first = msgspec.structs.replace(second, id="older", run="another", made=second.made - 100)
    engine.outcomes.versions.set((first, second))
    client = await show(f"/runs/{folder.id}")
    await client.until(lambda: client.says("tuned model"))
    assert client.find(ft.Container, width=16, height=3, bgcolor=LIGHT.versions[1])
    assert client.find(ft.Container, width=16, height=3, bgcolor=LIGHT.versions[0]) == []
