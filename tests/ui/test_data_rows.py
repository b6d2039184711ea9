"""The rows of a dataset on its page, its versions, its mapping, and datasets put together."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import anyio
import flet as ft
import pytest

from engine.data.nouns import Dataset, Mapping
from studio.kit.blocks import GONE, NEW
from studio.pages.data_mapping import MAPPABLE, NEEDED, OPTIONAL, Chosen, chosen_of
from studio.pages.data_merge import rows_of, together
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


def shop(folder: Path, count: int = 50, name: str = "shop") -> Path:
    """Questions with answers under titles; the last row repeats the first, one has an address."""
    rows = [
        {"title": f"part {n % 4}", "question": f"Where is article {n}?", "answer": f"In street {n}, on the left."}
        for n in range(count)
    ]
    rows[7]["answer"] = "Ask jane.roe@mail.org about it."
    file = folder / f"{name}.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, rows[0]]))
    return file


async def opened(show, engine: FakeEngine, folder: Path, tab: str, width: int = 1440) -> tuple[Client, Dataset]:
    made = await engine.library.add(shop(folder), "shop")
    client = await show(f"/data/{made.id}", width)
    await client.press(tab)
    await client.settle(30)
    return client, made


def said_in(row: object) -> str:
    """The words of a line of a difference."""
    assert isinstance(row, ft.Row) and isinstance(row.controls[1], ft.Container)
    assert isinstance(row.controls[1].content, ft.Text)
    return row.controls[1].content.value


async def choose(client: Client, label: str, key: str) -> None:
    await client.event(client.find(ft.DropdownM2, label=label)[0], "change", key)
    await client.settle(30)


def numbers(client: Client) -> list[str]:
    return [each for each in client.words() if each.startswith("Row ")]


@pytest.mark.parametrize("width", [1440, 375, 320])
async def test_rows_are_sorted_filtered_and_turned(show, engine: FakeEngine, tmp_path, width):
    client, _ = await opened(show, engine, tmp_path, "Rows", width)
    await client.until(lambda: client.says("1 to 20 of 51"))
    await client.press("Rows after these")
    await client.until(lambda: client.says("21 to 40 of 51"))
    await choose(client, "Order", "worst")
    await client.until(lambda: client.says("1 to 20 of 51"))
    assert numbers(client)[0] == "Row 51" and client.says("−20 duplicates")
    await choose(client, "With the finding", "personal_data")
    await client.until(lambda: numbers(client) == ["Row 8"])
    await choose(client, "With the finding", "any")
    await client.type("With these words", "ARTICLE 33?")
    await client.until(lambda: numbers(client) == ["Row 34"])
    await client.type("With these words", "nowhere")
    await client.until(lambda: client.says("No row fits."))


async def test_chosen_rows_are_hidden_and_come_back(show, engine: FakeEngine, tmp_path):
    client, made = await opened(show, engine, tmp_path, "Rows")
    await client.press("Row 2")
    await client.press("Row 4")
    await client.press("Row 4")
    await client.press("Hide 1 row")
    await client.until(lambda: client.page.route != f"/data/{made.id}", seconds=10)
    await client.until(lambda: client.says("In sight (50)"))
    assert client.says("1. 1 row hidden") and "Row 50" not in client.toasts()
    await client.press("Hidden (1)")
    await client.until(lambda: client.says("Where is article 1?"))
    await client.press("Show all 1 again")
    await client.until(lambda: client.page.route == f"/data/{made.id}", seconds=10)
    assert {each.rows for each in engine.library.datasets.value} == {50, 51}


async def test_chosen_rows_are_deleted_in_a_new_version(show, engine: FakeEngine, tmp_path):
    client, made = await opened(show, engine, tmp_path, "Rows")
    await client.press("Row 2")
    await client.press("Row 3")
    await client.press("Delete 2 rows")
    await client.until(lambda: client.says("1 to 20 of 49"), seconds=10)
    assert client.says("1. 2 rows left out") and client.page.route != f"/data/{made.id}"
    assert [each.content for each in client.find(ft.OutlinedButton) if "2 rows" in str(each.content)] == []


async def test_versions_are_told_with_size_compared_undone_and_deleted(show, engine: FakeEngine, tmp_path, monkeypatch):
    client, made = await opened(show, engine, tmp_path, "Findings (2)")
    await client.press("Hide these personal details")
    await client.until(lambda: client.page.route != f"/data/{made.id}", seconds=10)
    await client.press("Versions and files")
    await client.until(lambda: client.says("Personal details hidden"))
    assert client.says("As it was imported") and client.says("kB on the disk")
    await client.press("What changed")
    await client.until(lambda: client.says("50 the same"))
    assert client.says("1 changed") and client.says("jane.roe@mail.org") and client.says("[EMAIL]")
    (gone,) = [each.parent for each in client.find(ft.Text) if each.value == GONE]  # one line of the row, and only it
    (new,) = [each.parent for each in client.find(ft.Text) if each.value == NEW]
    assert "jane.roe@mail.org" in said_in(gone) and "[EMAIL]" in said_in(new)
    await client.press("Undo this version")
    await client.until(lambda: client.page.route == f"/data/{made.id}")
    await client.until(lambda: client.find(ft.OutlinedButton, content="Delete this version"))
    await client.press("Delete this version")
    assert client.says("Delete shop with its 51 rows?")
    await client.press("Keep it")
    await client.press("Delete this version")
    deleting = asyncio.create_task(client.press("Delete it"))
    await client.until(lambda: client.page.route == "/data" and client.says("No data yet."))
    assert len(engine.library.datasets.value) == 1
    (bar,) = [each for each in client.page._dialogs.controls if isinstance(each, ft.SnackBar) and each.action]
    await client.event(bar.action, "click")
    await client.until(lambda: not client.says("No data yet."))
    await deleting
    monkeypatch.setattr("studio.undo.SECONDS", 0.1)
    await client.go(f"/data/{made.id}")
    await client.until(lambda: client.find(ft.OutlinedButton, content="Delete this version"))
    await client.press("Delete this version")
    await client.press("Delete it")
    await client.until(lambda: engine.library.datasets.value == ())


@pytest.mark.parametrize("form", ["jsonl", "alpaca", "openai"])
async def test_a_dataset_is_written_as_a_file_and_its_place_is_shown(show, engine: FakeEngine, tmp_path, form):
    client, _ = await opened(show, engine, tmp_path, "Versions and files")
    await client.until(lambda: client.says("As a file"))
    await choose(client, "Form", form)
    for _ in range(2):
        await client.press("Write the file")
        await client.until(lambda: client.says("The file is written."))
    written = sorted((engine.home.path / "exports" / "data").iterdir())
    assert len(written) == 2 and client.says(str(written[0].parent)) and client.says("51 rows")
    assert len(written[0].read_text().splitlines()) == 51


async def test_columns_are_mapped_anew_as_a_version(show, engine: FakeEngine, tmp_path):
    client, made = await opened(show, engine, tmp_path, "Overview")
    await client.press("Map the columns anew")
    await client.until(lambda: client.find(ft.TextField, label="Or put columns together"))
    await client.type("Or put columns together", "{title}: {question}")
    await client.press("Make a new version")
    await client.until(lambda: client.page.route != f"/data/{made.id}", seconds=10)
    await client.until(lambda: client.says("1. columns mapped anew"))
    assert client.says("{title}: {question}")


async def test_a_mapping_that_does_not_fit_is_explained_beside_the_form(show, engine: FakeEngine, tmp_path):
    client, made = await opened(show, engine, tmp_path, "Overview")
    await client.press("Map the columns anew")
    await client.until(lambda: client.find(ft.TextField, label="Or put columns together"))
    await client.type("Or put columns together", "{titel}: {question}")
    await client.press("Make a new version")
    await client.until(lambda: client.says("There is no column “titel” (for instruction)."))
    assert client.page.route == f"/data/{made.id}"


async def test_questions_with_choices_are_mapped_by_pressing_their_columns(show, engine: FakeEngine, tmp_path):
    file = tmp_path / "quiz.csv"
    lines = "".join(f"What is {n}?,{n},{n + 1},{'uno' if n % 2 else 'duo'}\n" for n in range(20))
    file.write_text("quiz,uno,duo,solution_key\n" + lines)
    client = await show("/data")
    await client.press("Import data")
    await client.type("Path of a file on this computer", str(file))
    await client.press("Read this file")
    await client.until(
        lambda: (
            client.says("Columns")
            or client.find(ft.TextButton, content="Map the columns otherwise")
            or client.says("Which column is what?")
        )
    )
    if not client.says("Which column is what?"):
        await client.press("Map the columns otherwise")
    await choose(client, "Each row is", "multiple_choice")
    await choose(client, "Question", "quiz")
    await choose(client, "Right answer", "solution_key")
    await client.press("uno")
    await client.press("duo")
    await client.press("Use these columns")
    await client.until(lambda: client.says("20 rows of questions with choices"))
    await client.press("Import quiz.csv")
    await client.until(lambda: client.page.route.startswith("/data/"), seconds=10)
    assert engine.library.datasets.value[0].mapping.choices == ("uno", "duo")


async def test_pasted_rows_are_imported(show, engine: FakeEngine):
    client = await show("/data")
    await client.press("Import data")
    await client.press("Paste rows instead")
    rows = "question,answer\n" + "".join(f"q{n}?,answer {n}\n" for n in range(12))
    await client.type("Rows, as they would stand in a file", rows)
    await client.press("Read what is pasted")
    await client.until(lambda: client.says("12 rows of questions with answers"))


async def test_an_import_shows_how_far_it_is_and_can_be_stopped(show, engine: FakeEngine, tmp_path, monkeypatch):
    client = await show("/data")
    await client.press("Import data")
    await client.type("Path of a file on this computer", str(shop(tmp_path)))
    await client.press("Read this file")
    await client.until(lambda: client.says("51 rows of questions with answers"))
    ended: list[str] = []

    async def slow(*_: object, on_progress, **__: object) -> None:
        from engine.data.service import Progress

        on_progress(Progress(3, 4))
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("stopped")

    monkeypatch.setattr(engine.library, "add", slow)
    importing = asyncio.create_task(client.press("Import shop.jsonl"))
    await client.until(lambda: client.says("Reading, 75 %"))
    await client.press("Stop")
    await client.until(lambda: ended == ["stopped"])
    await client.until(lambda: client.find(ft.FilledButton, content="Import shop.jsonl"))
    await importing
    assert client.page.route == "/data"


async def test_datasets_of_one_kind_are_put_together_with_weights(show, engine: FakeEngine, tmp_path):
    await engine.library.add(shop(tmp_path), "shop")
    await engine.library.add(shop(tmp_path, 20, "small"), "small")
    (tmp_path / "t.txt").write_text("One text.\n\nAnother text.\n")
    await engine.library.add(tmp_path / "t.txt", "texts")
    client = await show("/data")
    await client.press("Put together")
    await client.press("shop, 51 rows")
    assert not client.find(ft.Semantics, label="texts, 2 rows")
    await client.press("small, 21 rows")
    await client.type("Weight of small", "2")
    await client.press("Put 93 rows of questions with answers together")
    await client.until(lambda: client.page.route.startswith("/data/"), seconds=10)
    assert engine.library.datasets.value[0].rows == 93
    assert engine.library.datasets.value[0].name == "shop and small"


def test_only_datasets_of_one_kind_are_offered_together(tmp_path):
    from engine.data.library import import_file

    one = import_file(tmp_path / "ds", shop(tmp_path))
    (tmp_path / "t.txt").write_text("One text.\n\nAnother text.\n")
    text = import_file(tmp_path / "ds", tmp_path / "t.txt")
    assert together((one, text), {}) == [one, text] and together((one, text), {text.id: 1.0}) == [text]
    assert rows_of((one, text), {one.id: 0.5, text.id: 3.0}) == 32


@pytest.mark.parametrize("schema", MAPPABLE)
def test_every_kind_of_row_can_be_mapped_and_asks_for_what_it_needs(schema):
    roles = {role: f"column {role}" for role, _ in NEEDED[schema]}
    chosen = Chosen(schema=schema, roles=roles, choices=("a", "b"))
    assert not chosen.missing
    mapping = chosen.mapping(Mapping(schema="text", text="x", group="talk", system_text="Be brief."))
    assert mapping.schema == schema and mapping.group == "talk" and mapping.system_text == "Be brief."
    assert chosen_of(mapping).mapping(mapping) == mapping
    for role, _ in NEEDED[schema]:
        without = Chosen(schema=schema, roles={**roles, role: ""}, choices=("a", "b"))
        assert without.missing == (role not in OPTIONAL)
