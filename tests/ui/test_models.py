"""Models at hand: their facts, what training them takes, what cannot be used, and folders that are named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from engine.plan.models import read_base_model, starter_path
from engine.planning import Planning
from studio.kit import gigabytes
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import furnish

pytestmark = pytest.mark.anyio


@pytest.fixture
def home(engine: FakeEngine) -> FakeEngine:
    return furnish(engine)


@pytest.mark.parametrize("width", [1440, 900, 390])
async def test_a_model_says_what_it_is_and_what_training_takes(show, home: FakeEngine, width):
    starter = read_base_model(starter_path())
    client = await show("/models", width)
    assert client.says(starter.name) and client.says(starter.architecture)
    assert client.says(f"{starter.context:,}") and client.says(f"{starter.vocabulary:,}")
    await client.press("What training takes here")
    assert isinstance(home.planning, Planning)
    needs = home.planning.needs(starter)
    assert {"LoRA", "QLoRA"} <= {each.title for each in needs}
    assert len({each.memory for each in needs}) > 5  # each its own
    for each in needs:
        assert client.says(each.why_not or f"{gigabytes(each.memory)} of {gigabytes(each.budget)}"), each


async def test_a_model_that_cannot_be_used_says_why(show, home: FakeEngine):
    folder = home.home.models / "odd"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    client = await show("/models")
    assert client.says("Cannot be used") and client.says(str(folder))


async def test_a_folder_is_added_and_used_in_a_new_run(show, home: FakeEngine, tmp_path: Path):
    folder = Path(shutil.copytree(starter_path(), tmp_path / "mine"))
    client = await show("/models")
    await client.type("Model folder", str(tmp_path / "nothing"))
    await client.press("Add this folder")
    await client.until(lambda: client.says("nothing") and client.says("config.json"))
    await client.type("Model folder", str(folder))
    await client.press("Add this folder")
    await client.until(lambda: client.says("mine") and client.says(str(folder)))
    await client.go("/new")
    await client.go("/models")
    assert client.says(str(folder))  # as long as the window is open
    await client.press("Use it in a new run")
    await client.until(lambda: client.page.route == "/new")


async def test_models_that_arrive_later_are_found_by_looking_again(show, home: FakeEngine):
    client = await show("/models")
    shutil.copytree(starter_path(), home.home.models / "later")
    assert not client.says("later")
    await client.press("Look again")
    assert client.says("later")


async def test_a_named_folder_is_there_in_the_next_window_and_is_forgotten_when_it_is_gone(
    show, home: FakeEngine, tmp_path: Path
):
    folder = Path(shutil.copytree(starter_path(), tmp_path / "mine"))
    first = await show("/models")
    await first.type("Model folder", str(folder))
    await first.press("Add this folder")
    await first.until(lambda: first.says(str(folder)))
    assert home.settings.value.model_folders == (str(folder),)
    second = await show("/models")
    assert second.says(str(folder)) and not second.says("Cannot be used")
    shutil.rmtree(folder)
    third = await show("/models")
    assert third.says("Cannot be used") and third.says(str(folder))
    await third.press("Forget this folder")
    await third.until(lambda: not third.says("Cannot be used"))
    assert home.settings.value.model_folders == ()
    confined = await show("/models", confined=True)
    assert not confined.says(str(folder))


async def test_a_model_that_is_listed_anyway_is_not_kept_as_a_folder(show, home: FakeEngine):
    client = await show("/models")
    await client.type("Model folder", str(starter_path()))
    await client.press("Add this folder")
    await client.settle(60)
    assert home.settings.value.model_folders == ()
