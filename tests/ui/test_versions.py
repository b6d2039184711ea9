"""The versions of a Home on their screens: what they are, which is in use, and what is done with them."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any, cast

import flet as ft
import msgspec
import pytest

from engine.plan.facts import DataFacts
from engine.plan.models import read_base_model, starter_path
from engine.results.care import Space
from engine.results.continuing import Continuation
from engine.spec.runspec import AdapterRef
from studio.kit import gigabytes
from studio.pages.wizard_state import goes_on, state_of
from studio.session import WizardDraft
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import a_version, dataset, evaluated, furnish

pytestmark = pytest.mark.anyio


@pytest.fixture
def home(engine: FakeEngine) -> FakeEngine:
    return furnish(engine)


async def listed(show, home: FakeEngine, width: int = 1440):
    client = await show("/versions", width)
    await client.until(lambda: not client.says("Reading the versions…"))
    return client


@pytest.mark.parametrize("width", [1440, 900, 390])
async def test_versions_stand_under_their_name_with_how_good_they_are(show, home: FakeEngine, width):
    first = a_version(home, "run-1")
    a_version(home, "run-2", parent=first.id)
    a_version(home, "run-3", name="lists")
    found = evaluated(home, first, 0.8)
    client = await listed(show, home, width)
    await client.until(lambda: client.says("better"))
    words = client.words()
    assert words.index("lists") < words.index("support")
    assert client.says("2 versions, none is in use") and client.says("goes on from v1.0.0")
    assert found.score is not None and found.score.value is not None
    assert client.says(f"{found.score.value:.0f} of 100, {found.score.band}")
    assert client.says("token F1 ") and client.says(" to ") and client.says("held-out loss 0.7")


async def test_using_a_version_marks_it_and_rolling_back_takes_the_one_before(show, home: FakeEngine):
    first, second = a_version(home, "run-1"), a_version(home, "run-2")
    client = await listed(show, home)
    await client.press("Use v1.0.0")
    await client.until(lambda: client.says("2 versions, v1.0.0 is in use"))
    await client.press("Use v1.1.0")
    await client.until(lambda: client.says("2 versions, v1.1.0 is in use"))
    assert home.outcomes.active("support").id == second.id
    await client.until(lambda: not client.find(ft.IconButton, tooltip="Delete v1.1.0"))  # the one in use stays
    await client.press("Roll back")
    await client.until(lambda: client.says("2 versions, v1.0.0 is in use"))
    assert home.outcomes.active("support").id == first.id


async def test_rolling_back_where_nothing_was_in_use_before_is_explained(show, home: FakeEngine):
    a_version(home, "run-1")
    a_version(home, "run-2")
    client = await listed(show, home)
    await client.press("Use v1.0.0")
    await client.until(lambda: client.says("2 versions, v1.0.0 is in use"))
    await client.press("Roll back")
    await client.until(lambda: client.says("nothing to roll support back to"))


async def test_deleting_says_what_it_frees_and_asks_first(show, home: FakeEngine, monkeypatch):
    version = a_version(home, "run-1")
    client = await listed(show, home)
    await client.press("Delete v1.0.0")
    assert client.says("Delete support v1.0.0?")
    assert client.says("files belong to its run too")
    assert home.outcomes.folder.folder(version).is_dir()
    await client.press("Keep it as it is")
    await client.press("Delete v1.0.0")
    monkeypatch.setattr("studio.undo.SECONDS", 0.2)
    await client.press("Delete it")
    assert client.says("No versions yet.")
    assert not home.outcomes.folder.folder(version).exists()


async def test_a_version_that_is_deleted_can_be_kept_after_all(show, home: FakeEngine):
    version = a_version(home, "run-1")
    client = await listed(show, home)
    await client.press("Delete v1.0.0")
    deleting = asyncio.create_task(client.press("Delete it"))
    await client.until(lambda: client.says("No versions yet."))
    (bar,) = [each for each in client.page._dialogs.controls if isinstance(each, ft.SnackBar)]
    await client.event(bar.action, "click")
    await client.until(lambda: not client.says("No versions yet."))
    await deleting
    assert home.outcomes.folder.folder(version).is_dir()


async def test_an_archived_version_is_marked_and_restored(show, home: FakeEngine):
    version = a_version(home, "run-1")
    client = await listed(show, home)
    await client.press("Archive v1.0.0")
    await client.press("Archive it")
    await client.until(lambda: not client.find(ft.OutlinedButton, content="Talk to it"))
    assert client.says("archived") and home.outcomes.folder.archived(version)
    await client.press("Restore v1.0.0")
    await client.press("Restore it")
    await client.until(lambda: client.find(ft.OutlinedButton, content="Talk to it"))
    assert home.outcomes.folder.adapter(version).is_dir()


async def test_a_tampered_version_and_a_changed_base_are_said(show, home: FakeEngine, tmp_path: Path):
    base = Path(shutil.copytree(starter_path(), tmp_path / "base"))
    tampered = a_version(home, "run-1")
    lost = a_version(home, "run-2", name="other", model=base)
    weights = home.outcomes.folder.adapter(tampered) / "adapter_model.safetensors"
    weights.unlink()
    weights.write_bytes(b"something else")
    shutil.rmtree(base)
    client = await listed(show, home)
    assert client.says("The base model of other v1.0.0 is gone.")
    assert client.says("adapter_model.safetensors")
    assert not client.find(ft.OutlinedButton, content="Talk to it")
    client = await show(f"/versions/{lost.id}")
    await client.until(lambda: client.says("The base model of other v1.0.0 is gone."))


async def test_a_nearly_full_disk_asks_for_room(show, home: FakeEngine, monkeypatch):
    version = a_version(home, "run-1")
    shutil.rmtree(home.home.runs / "run-1")  # its files are its own now
    space = await home.outcomes.space()
    full = Space(free=10**9, total=10**12, low=True, versions=space.versions)

    async def nearly_full() -> Space:
        return full

    monkeypatch.setattr(home.outcomes, "space", nearly_full)
    client = await listed(show, home)
    await client.until(lambda: client.says("The disk is nearly full."))
    size = space.versions[0].size.reclaimable
    assert size > 0
    await client.press(f"support v1.0.0 ({gigabytes(size)})")
    await client.until(lambda: client.page.route == f"/versions/{version.id}")


async def test_two_chosen_versions_are_compared(show, home: FakeEngine):
    first, second = a_version(home, "run-1"), a_version(home, "run-2")
    client = await listed(show, home)
    await client.press("Compare")
    assert client.find(ft.FilledButton, content="Compare: choose 2 to 5", disabled=True)
    await client.press("Compare")
    await client.press("Compare 2")
    await client.until(lambda: client.page.route == f"/compare?ids={second.id},{first.id}")


async def test_versions_are_found_by_tag_and_words(show, home: FakeEngine):
    home.outcomes.label(a_version(home, "run-1").id, tags=["shipped"], notes="for the shop")
    a_version(home, "run-2", name="lists")
    client = await listed(show, home)
    await client.type("Find a version", "SHOP shipped")
    await client.until(lambda: not client.says("lists"))
    assert client.says("support") and client.says("#shipped")
    await client.type("Find a version", "nothing like it")
    await client.until(lambda: client.says("No version fits."))


async def test_notes_and_tags_are_kept(show, home: FakeEngine):
    version = a_version(home, "run-1")
    client = await show(f"/versions/{version.id}")
    await client.until(lambda: client.says("Where it came from"))
    await client.press("About it")
    await client.type("Notes", "Answers <b>briefly</b>.")
    await client.type("Tags", "#shop, shop, new")
    kept = home.outcomes.folder.find(version.id)
    assert (kept.notes, kept.tags) == ("Answers <b>briefly</b>.", ("shop", "new"))


async def test_a_capsule_is_saved_and_its_place_shown(show, home: FakeEngine):
    version = a_version(home, "run-1", data=dataset(home))
    client = await show(f"/versions/{version.id}")
    await client.until(lambda: client.says("Where it came from"))
    await client.press("About it")
    for count in (1, 2):
        await client.press("Save as a capsule")
        await client.until(lambda: client.says("The capsule is saved."))
        assert len(list((home.home.path / "capsules").glob("*.zip"))) == count  # an older one is never replaced


async def test_training_goes_on_from_a_version_with_its_method(show, home: FakeEngine):
    version = a_version(home, "run-1", data=dataset(home))
    client = await show(f"/versions/{version.id}")
    await client.until(lambda: client.says("Where it came from"))
    await client.press("About it")
    await client.press("Continue training from it")
    await client.until(lambda: client.page.route == "/new")
    await client.until(lambda: client.says(f"Training goes on from {version.title}."), 10)
    assert client.says(f"New run from {version.title}, step 5 of 5") and not client.says(version.id)
    await client.until(lambda: client.find(ft.FilledButton, content="Start training", disabled=False), 10)
    await client.press("Start training")
    await client.until(lambda: home.started)
    (draft,) = home.started
    assert draft.parent is not None and draft.parent.name == version.id
    assert (draft.method, draft.edits["rank"]) == ("lora", 4)


@pytest.mark.parametrize("gone", [False, True], ids=["there", "deleted"])
async def test_a_run_names_the_version_that_it_goes_on_from_by_its_title(show, home: FakeEngine, gone: bool):
    first = a_version(home, "run-1")
    a_version(home, "run-2", parent=first.id)
    if gone:
        home.outcomes.versions.set(())
    client = await show("/runs/run-2")
    if gone:
        assert client.says("Goes on from a version that was deleted.")
        return
    await client.press(f"Goes on from {first.title}")
    await client.until(lambda: client.page.route == f"/versions/{first.id}")
    assert first.title in client.words() and not client.says(first.id)


ONWARD = Continuation(
    parent=AdapterRef(name="v", path="p"),
    title="support v1.0.0",
    model_path=str(starter_path()),
    method="lora",
    edits={"rank": 4},
)


def test_choosing_another_model_no_longer_goes_on_from_the_version():
    draft = WizardDraft(model=ONWARD.model_path, method="lora", onward=ONWARD)
    assert goes_on(draft) is ONWARD
    assert goes_on(msgspec.structs.replace(draft, model="/other")) is None
    assert goes_on(msgspec.structs.replace(draft, method="dora")) is None


@pytest.mark.parametrize(("method", "rank", "parent"), [("lora", 4, ONWARD.parent), ("dora", 64, None)])
def test_the_adapter_of_the_version_that_is_gone_on_from_stays_as_it_was(home: FakeEngine, method, rank, parent):
    facts = msgspec.structs.replace(DataFacts.stand_in(64), dataset="d")
    draft = WizardDraft(
        profile="chatbot", dataset="d", model=ONWARD.model_path, method=method, edits={"rank": 64}, onward=ONWARD
    )
    made = state_of(cast(Any, home), draft, read_base_model(starter_path()), facts, False, None)
    assert made.draft is not None and made.draft.parent == parent
    assert made.draft.edits["rank"] == rank


@pytest.mark.parametrize("name", ["n" * 300, "مساعد المتجر", "<script>alert(1)</script> & [b]"])
async def test_any_name_is_shown_as_it_is(show, home: FakeEngine, name):
    version = a_version(home, "run-1", name=name)
    client = await listed(show, home, 390)
    assert client.says(name)
    client = await show(f"/versions/{version.id}", 390)
    await client.until(lambda: client.says(f"{name} v1.0.0"))


async def test_a_version_that_is_not_there_is_explained(show, home: FakeEngine):
    client = await show("/versions/gone")
    await client.until(lambda: client.says("There is no version “gone”."))
    await client.press("All versions")
    await client.until(lambda: client.says("No versions yet."))
