"""A page on another machine: it names no files of this one, and does not change what protects it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flet as ft
import msgspec
import pytest

from engine.core.errors import DataError, StorageError
from engine.core.settings import LIMITS, Settings
from engine.spec.fields import settings_of
from studio.downloads import OFFERED
from studio.pages.upload import Uploads
from studio.uploads import MOST, allowed, room
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_palette import listed, press_keys, type_in

pytestmark = pytest.mark.anyio
PATHS = ("Path of a file on this computer", "Model folder", "Folder (optional)", "A folder with config.json")


def path_fields(client: Any) -> list[str]:
    """What fields there are that a path could be typed into."""
    fields = [f"{each.label or ''} {each.hint_text or ''}" for each in client.find(ft.TextField)]
    return [each for each in fields if any(words in each for words in PATHS)]


@pytest.mark.parametrize("width", [1440, 390])
async def test_no_page_takes_a_path_there_and_here_they_do(show, engine: FakeEngine, width: int):
    seen: dict[bool, int] = {}
    for confined in (False, True):
        client = await show("/models", width, confined)
        found = path_fields(client)
        await client.go("/data")
        await client.press("Import data")
        found += path_fields(client)
        seen[confined] = len(found)
        if confined:
            assert client.says("It is uploaded to the machine that PEFT Studio runs on.")
            assert not any(str(engine.home.path) in words for words in client.words())
    assert seen == {False: 2, True: 0}


async def test_the_paths_of_the_machine_are_not_told(show, engine: FakeEngine):
    client = await show("/settings", confined=True)
    assert not any(str(engine.home.path) in words for words in client.words())
    await client.go("/models")
    assert not any("assets" in words for words in client.words())


async def test_limits_are_shown_and_cannot_be_changed_there(show, engine: FakeEngine):
    here, there = await show("/settings"), await show("/settings", confined=True)
    names = settings_of(Settings)
    limits = {names[name].title for name in LIMITS}
    await here.until(lambda: limits <= editable(here))
    await there.until(lambda: {"Theme", "Do not disturb"} <= editable(there))
    assert limits.isdisjoint(editable(there))
    assert there.says("5.0 GB")


def editable(client: Any) -> set[str | None]:
    """The names of what can be changed."""
    return {each.label for each in client.find(ft.Semantics) if each.label}


@pytest.mark.parametrize("words,entry", [("debug", "Settings: Debug mode"), ("sign out", "Account: Sign out")])
async def test_what_protects_the_machine_is_no_command_there_and_signing_out_is(show, words: str, entry: str):
    for confined in (False, True):
        client = await show("/", confined=confined)
        await press_keys(client, "Ctrl+Shift+P")
        await type_in(client, words)
        there = any(entry in each for each in listed(client))
        assert there is (confined if "Account" in entry else not confined)


async def test_a_list_takes_only_what_it_offers(show, engine: FakeEngine):
    client = await show("/settings")
    menu = client.find(ft.DropdownM2)[0]
    await client.event(menu, "change", "/etc/passwd")
    assert engine.settings.value.theme == "system"
    await client.event(menu, "change", "dark")
    assert engine.settings.value.theme == "dark"


def test_only_uploads_and_samples_can_be_named_there(tmp_path: Path):
    own = tmp_path / "uploads" / "a" / "data.csv"
    own.parent.mkdir(parents=True)
    own.write_text("x")
    sample = Path(__file__).parents[2] / "assets" / "samples" / "support.csv"
    for path in (own, sample):
        assert allowed(str(path), tmp_path, confined=True) == path
    (tmp_path / "uploads" / "link").symlink_to("/etc")
    for words in ("/etc/passwd", "~/x", f"{tmp_path}/uploads/../accounts.json", f"{tmp_path}/uploads/link/passwd", ""):
        with pytest.raises(DataError, match="cannot be named"):
            allowed(words, tmp_path, confined=True)
        assert allowed(words, tmp_path, confined=False)


async def test_a_path_that_a_browser_answers_with_is_not_believed_there(show, engine: FakeEngine, monkeypatch):
    await show("/data", confined=True)
    uploads = Uploads()

    async def pick(**_: object) -> list[ft.FilePickerFile]:
        return [ft.FilePickerFile(id=1, name="passwd", size=1, path="/etc/passwd")]

    async def upload(path: str, home: Path) -> Path:
        return home / "uploaded"

    monkeypatch.setattr(uploads.picker, "pick_files", pick)
    monkeypatch.setattr(uploads, "_upload", lambda file, folder: upload(file.name, folder))
    home, settings = engine.home.path, engine.settings.value
    assert await uploads.choose(home, settings, confined=True) == home / "uploads" / "uploaded"
    assert await uploads.choose(home, settings, confined=False) == Path("/etc/passwd")


def test_uploads_end_where_their_room_does(tmp_path: Path):
    settings = Settings(uploads_bytes=1000)
    assert room(tmp_path, settings) == 1000
    (tmp_path / "uploads" / "a.csv").write_bytes(b"x" * 400)
    assert room(tmp_path, settings) == 600
    assert room(tmp_path, msgspec.structs.replace(settings, refuse_file_bytes=10)) == 10
    (tmp_path / "uploads" / "b.csv").write_bytes(b"x" * 600)
    with pytest.raises(StorageError, match="No more files"):
        room(tmp_path, settings)


def test_uploads_have_a_number_too(tmp_path: Path):
    (tmp_path / "uploads").mkdir()
    for number in range(MOST):
        (tmp_path / "uploads" / str(number)).touch()
    with pytest.raises(StorageError, match="No more files"):
        room(tmp_path, Settings())


async def test_what_is_written_there_can_be_fetched_and_its_path_is_not_told(show, engine: FakeEngine, tmp_path: Path):
    (tmp_path / "shop.csv").write_text("question,answer\n" + "".join(f"q{n},a{n}\n" for n in range(20)))
    dataset = await engine.library.add(tmp_path / "shop.csv")
    client = await show(f"/data/{dataset.id}", confined=True)
    await client.press("Versions and files")
    await client.until(lambda: client.find(ft.OutlinedButton, content="Write the file"))
    await client.press("Write the file")
    await client.until(lambda: client.find(ft.OutlinedButton, content="Download"), seconds=10)
    assert client.says("shop.jsonl")
    assert not any(str(engine.home.path) in words for words in client.words())
    await client.press("Download")
    asked = [each.body.args["url"] for each in client.sent if getattr(each.body, "name", "") == "launch_url"]
    (address,) = [each if isinstance(each, str) else each["url"] for each in asked]
    found = OFFERED.find(address)
    assert found is not None and found.is_relative_to(engine.home.path)
