"""Exports on the page of a version: the forms, a start with its options, certificates, deletion."""

from __future__ import annotations

import asyncio
from pathlib import Path

import flet as ft
import pytest

from engine.spec.folder import RunFolder
from engine.spec.runspec import ExportJob
from tests.making import METHODS
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import a_version, at_work, dataset, exported, furnish

pytestmark = pytest.mark.anyio


@pytest.fixture
def home(engine: FakeEngine) -> FakeEngine:
    return furnish(engine)


async def opened(show, version, width: int = 1440) -> Client:
    client = await show(f"/versions/{version.id}", width)
    await client.until(lambda: client.says("Where it came from"))
    await client.press("Exports")
    ready = "Each export is asked the same prompts"
    await client.until(lambda: client.says(ready) or client.find(ft.TextButton, content="Get help"), 10)
    return client


@pytest.mark.parametrize("width", [1440, 390])
async def test_every_form_says_what_it_is_for_and_what_cannot_be_had_says_why(show, home: FakeEngine, width):
    version = a_version(home, "run-1", data=dataset(home), method=METHODS["prefix"])
    client = await opened(show, version, width)
    offers = await home.exports.offers(version.id)
    assert any(offer.offered for offer in offers) and not all(offer.offered for offer in offers)
    for offer in offers:
        assert client.says(offer.title) and client.says(offer.about)
        if not any(each.offered for each in offers if each.form == offer.form):
            assert client.says(offer.why_not)
            assert not client.find(ft.OutlinedButton, content=f"Export as {offer.form}")


async def test_an_export_is_queued_with_its_format_and_place_and_followed(show, home: FakeEngine, tmp_path: Path):
    version = a_version(home, "run-1", data=dataset(home))
    client = await opened(show, version)
    await client.type("Folder (optional)", str(tmp_path / "not there" / ".." / "out"))
    (menu,) = [each for each in client.find(ft.DropdownM2) if len(each.options or ()) > 1][:1]
    await client.event(menu, "change", "f16")
    await client.press("Export as gguf")
    await client.until(lambda: client.says("Exported"))
    (made,) = home.exports.list.value
    job = RunFolder(home.home.runs / made.export.id).spec().job
    assert isinstance(job, ExportJob)
    assert (job.form, job.quant, Path(job.target)) == ("gguf", "f16", tmp_path / "out")
    assert client.says("Waiting for its turn.") and client.says("not compared yet")
    at_work(home, made.export.id, 1, 4)
    await client.until(lambda: client.says("25 %"))
    await client.press("Stop")
    assert home.runs.asked == [("stop", made.export.id)]


async def test_a_folder_that_holds_something_is_refused_in_place(show, home: FakeEngine, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    client = await opened(show, a_version(home, "run-1", data=dataset(home)))
    await client.type("Folder (optional)", str(tmp_path))
    await client.press("Export as adapter")
    await client.until(lambda: client.says("The folder for the export is not empty."))
    assert home.exports.list.value == ()


async def test_a_certificate_is_drawn_with_its_figures_and_answers(show, home: FakeEngine):
    version = a_version(home, "run-1")
    exported(home, version, passed=True)
    client = await opened(show, version)
    assert client.says("answers as trained")
    await client.press("Show the certificate")
    for words in ("It answers like the trained model.", "8 prompts, read by llama.cpp.", "0.02 measured, 0.1 allowed"):
        assert client.says(words), words
    assert client.says("Compared in fp32.")
    await client.press("Show the answers (1)")
    assert any(
        "".join(each.text or "" for each in text.spans) == "We have pears."
        for text in client.find(ft.Text)
        if text.spans
    )


async def test_a_failed_certificate_names_its_cause(show, home: FakeEngine):
    version = a_version(home, "run-1")
    exported(home, version, passed=False)
    client = await show("/exports", 390)
    await client.until(lambda: client.says("answers otherwise"))
    assert client.says("It does not answer as trained: double begin token.")
    assert client.says("Every prompt begins with the begin token twice.")


async def test_deleting_frees_the_homes_files_and_leaves_the_users(show, home: FakeEngine, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("studio.undo.SECONDS", 0.05)
    version = a_version(home, "run-1")
    exported(home, version, passed=True, folder=tmp_path / "mine")
    exported(home, version, passed=True)
    client = await show("/exports")
    folders = [Path(each.export.folder) for each in home.exports.list.value]
    for left in (1, 0):
        await client.until(lambda left=left: len(client.find(ft.IconButton, tooltip="Delete gguf q8_0")) == left + 1)
        await client.press("Delete gguf q8_0")
        await client.press("Delete it")
        await client.until(lambda left=left: len(home.exports.list.value) == left)
        await client.until(lambda: not client.says("Delete this export?"))
    assert sorted(folder.exists() for folder in folders) == [False, True]
    assert (tmp_path / "mine" / "model.gguf").exists()
    await client.until(lambda: client.says("No exports yet."))


async def test_a_deleted_export_can_be_kept_for_a_moment(show, home: FakeEngine, monkeypatch):
    monkeypatch.setattr("studio.undo.SECONDS", 2.0)
    exported(home, a_version(home, "run-1"), passed=True)
    client = await show("/exports")
    await client.until(lambda: client.find(ft.IconButton, tooltip="Delete gguf q8_0"))
    await client.press("Delete gguf q8_0")
    task = asyncio.create_task(client.press("Delete it"))
    await client.until(lambda: client.says("No exports yet."))
    bar = next(each for each in client.page._dialogs.controls if isinstance(each, ft.SnackBar) and each.action)
    await client.event(bar.action, "click")
    await task
    await client.until(lambda: client.find(ft.IconButton, tooltip="Delete gguf q8_0"))
    (kept,) = home.exports.list.value
    assert Path(kept.export.folder).exists()


async def test_the_path_of_an_export_is_copied(show, home: FakeEngine):
    exported(home, a_version(home, "run-1"), passed=None)
    client = await show("/exports")
    await client.until(lambda: client.says(home.exports.list.value[0].export.folder))
    await client.press("Copy the path")
    await client.until(lambda: "Copied." in client.toasts())
