"""A version keeps its colour from screen to screen, and a model is ready when its run has ended under one's eyes."""

from __future__ import annotations

from pathlib import Path

import flet as ft
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.results.versions import Version
from engine.spec.records import RunState
from studio.model_colors import version_colors
from studio.theme import LIGHT
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_playground import answered, ask, talking
from tests.ui.test_results import version

pytestmark = pytest.mark.anyio
HOME = [msgspec.structs.replace(version(f"run-{n}"), id=f"v{n}", made=float(n)) for n in range(12)]


def colors(ids: list[str], known: list[Version]) -> dict[str, str]:
    return version_colors(ids, known, LIGHT)


@given(st.lists(st.sampled_from([each.id for each in HOME]), min_size=1, max_size=5, unique=True), st.randoms())
def test_up_to_five_beside_each_other_differ_and_their_order_changes_nothing(ids: list[str], chance):
    found = colors(ids, HOME)
    assert len(set(found.values())) == len(ids)
    mixed, known = list(ids), list(HOME)
    chance.shuffle(mixed)
    chance.shuffle(known)
    assert colors(mixed, known) == found


def test_a_version_has_the_same_colour_alone_and_beside_others():
    beside = colors(["v1", "v2", "v3"], HOME)
    assert all(colors([one], HOME)[one] == beside[one] for one in beside)
    assert colors(["v0"], HOME)["v0"] == LIGHT.versions[0]


def test_what_is_no_version_takes_what_is_free():
    found = colors(["run-9", "v0", "v1"], HOME[:2])
    assert found["run-9"] == LIGHT.versions[2]


async def test_the_second_version_is_not_purple_in_the_playground(show, engine: FakeEngine):
    client = await talking(show, engine)
    first = engine.outcomes.versions.value[0]
    older = msgspec.structs.replace(first, id="older", made=first.made - 100)
    engine.outcomes.versions.set((first, older))
    await ask(client, "Plums?")
    await answered(client)
    marks = {each.bgcolor for each in client.find(ft.Container, width=10, height=10)}
    assert LIGHT.versions[1] in marks and LIGHT.versions[0] not in marks


@pytest.mark.parametrize("other, opened", [(None, 1), (RunState.RUNNING, 0), (RunState.CREATED, 0)])
async def test_the_model_is_loaded_when_a_run_ends_while_its_page_is_open(show, engine: FakeEngine, other, opened):
    folder = engine.runs.make("It", RunState.RUNNING, steps=20)
    if other is not None:
        engine.runs.make("Another", other)
    client = await show(f"/runs/{folder.id}")
    assert engine.hosts.opened == []
    made = version(folder.id)
    engine.outcomes.versions.set((made,))
    await client.until(lambda: len(engine.hosts.opened) == opened)
    await client.settle(60)
    assert engine.hosts.opened == [Path(made.model_path)] * opened


async def test_looking_at_a_run_that_ended_before_loads_nothing(show, engine: FakeEngine):
    folder = engine.runs.make("It", RunState.COMPLETED, steps=200)
    engine.outcomes.versions.set((version(folder.id),))
    client = await show(f"/runs/{folder.id}")
    await client.settle(60)
    assert engine.hosts.opened == []
