"""The library of datasets and the page of one, over real imports and the real tokenizer of the starter model."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import flet as ft
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import DataError
from engine.data.nouns import Dataset, Finding, Mapping
from engine.data.split import SplitPlan
from engine.spec.prepared import read_lengths
from studio.pages.data import size_words
from studio.pages.data_detail import concerned
from studio.pages.data_lengths import histogram, in_words
from studio.pages.data_mapping import roles_of
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio
WIDTHS = pytest.mark.parametrize("width", [1440, 1024, 768, 375, 320])


async def support(engine: FakeEngine) -> Dataset:
    """The sample of a shop's support desk."""
    return await engine.library.add(
        next(each for each in engine.library.samples() if each.name == "support.csv"), "support"
    )


def pairs(folder: Path, count: int = 40) -> Path:
    """Questions with a better and a worse answer, and one line that is broken."""
    file = folder / "better.jsonl"
    rows = [
        {"prompt": f"What is {n} and one?", "chosen": f"It is {n + 1}, I think.", "rejected": "No idea."}
        for n in range(count)
    ]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows) + '{"prompt": \n')
    return file


async def opened(show, dataset: Dataset, tab: str = "Overview", width: int = 1440) -> Client:
    client = await show(f"/data/{dataset.id}", width)
    await client.press(tab)
    await client.settle(30)
    return client


@WIDTHS
async def test_without_data_there_is_one_thing_to_do(show, width):
    client = await show("/data", width)
    assert client.says("No data yet.")
    await client.press("Import data")
    assert client.find(ft.TextField, label="Path of a file on this computer")


@WIDTHS
async def test_each_dataset_is_told_with_its_kind_its_sides_and_its_size(show, engine: FakeEngine, width):
    await support(engine)
    client = await show("/data", width)
    for words in ("support", "480 rows of questions with answers", "384 to learn from, 96 held out", "k characters"):
        assert client.says(words), words


async def test_the_activity_bar_and_its_keys_lead_to_the_data(show):
    client = await show("/")
    await client.press("Data (Alt+Shift+D)")
    await client.until(lambda: client.says("No data yet."))


async def test_datasets_are_found_by_name_and_kind(show, engine: FakeEngine, tmp_path):
    await support(engine)
    await engine.library.add(pairs(tmp_path), "better answers")
    client = await show("/data")
    await client.type("Search name, kind, file", "pairs worse")
    assert client.says("better answers") and not client.says("support")
    await client.type("Search name, kind, file", "nothing like it")
    assert client.says("No dataset fits.")


async def test_a_long_library_is_shown_a_window_at_a_time(show, engine: FakeEngine):
    one = await support(engine)
    many = tuple(msgspec.structs.replace(one, id=f"d{n}", name=f"copy {n}") for n in range(130))
    engine.library.datasets.set(many)
    client = await show("/data")
    assert client.says("copy 99") and not client.says("copy 100")
    await client.press("Show 30 more")
    assert client.says("copy 129")


@WIDTHS
async def test_a_dataset_shows_its_roles_its_lengths_and_its_rows(show, engine: FakeEngine, width):
    client = await opened(show, await support(engine), width=width)
    await client.until(lambda: client.says("Length of each row"), seconds=10)
    for words in ("Rows", "480", "384", "96", "Which column is what", "question", "answer"):
        assert client.says(words), words
    await client.press("As a model sees it")
    await client.until(lambda: client.says("As starter will see it"), seconds=10)
    assert client.says("1 to 10 of 384")
    await client.until(lambda: client.says("Half of the rows have at most"), seconds=10)
    spans = [span for each in client.find(ft.Text) for span in each.spans or []]
    assert any(span.style and span.style.bgcolor for span in spans)
    assert any(span.style and not span.style.bgcolor for span in spans)


async def test_rows_are_turned_page_by_page_on_both_sides(show, engine: FakeEngine):
    client = await opened(show, await support(engine), "As a model sees it")
    await client.press("Rows after these")
    await client.until(lambda: client.says("11 to 20 of 384"))
    await client.press("Held out")
    await client.until(lambda: client.says("1 to 10 of 96"))
    await client.until(lambda: client.says("As starter will see it"), seconds=10)
    assert client.find(ft.IconButton, tooltip="Rows before these")[0].disabled


async def test_what_was_noticed_stands_with_its_rows_and_what_to_do(show, engine: FakeEngine, tmp_path):
    made = await engine.library.add(pairs(tmp_path), "better answers")
    worst = Finding(level="problem", what="Half is empty.", why="It is.", fix="Fill it.", rows=20, share=0.5)
    engine.library.datasets.set((msgspec.structs.replace(made, findings=(*made.findings, worst)),))
    client = await opened(show, made, "Findings (2)")
    for words in ("Half is empty.", "20 rows, 50 % of all. It is.", "What to do: Fill it."):
        assert client.says(words), words
    await client.until(lambda: client.says("1 line could not be used"))
    assert client.says("line 41")


async def test_a_clean_dataset_says_so(show, engine: FakeEngine):
    made = await support(engine)
    engine.library.datasets.set((msgspec.structs.replace(made, findings=()),))
    client = await opened(show, made, "Findings")
    assert client.says("Nothing stands out.")


async def test_a_dataset_that_is_not_there_leads_back(show):
    client = await show("/data/gone")
    assert client.says("This dataset is not here.")
    await client.press("Show all data")
    await client.until(lambda: client.says("No data yet."))


async def test_rows_that_cannot_be_read_are_explained_and_the_rest_stays(show, engine: FakeEngine):
    made = await support(engine)

    async def damaged(*_: object) -> None:
        raise DataError("The dataset is damaged.", "Its rows are missing.", "Import the file again.")

    engine.library.facts = engine.library.preview = damaged  # type: ignore[assignment]
    client = await opened(show, made, "As a model sees it")
    await client.until(lambda: client.says("The dataset is damaged."))
    assert client.says("Import the file again.")
    await client.press("Overview")
    assert client.says("Which column is what")


async def test_a_removed_list_of_problems_is_explained(show, engine: FakeEngine, tmp_path):
    made = await engine.library.add(pairs(tmp_path), "better answers")
    (engine.home.datasets / made.id / "problems.jsonl").unlink()
    client = await opened(show, made, "Findings (1)")
    await client.until(lambda: client.says("A file or folder is not there."))


async def test_fine_tuning_with_it_opens_the_wizard_with_a_use_case_and_the_data(show, engine: FakeEngine):
    client = await opened(show, await support(engine))
    await client.press("Fine-tune with it")
    await client.until(lambda: client.says("Which model do you start from?"))
    assert client.says("support, 480 rows")


async def test_a_file_is_imported_here_and_its_page_opens(show, engine: FakeEngine, tmp_path):
    client = await show("/data")
    await client.press("Import data")
    await client.type("Path of a file on this computer", str(pairs(tmp_path)))
    await client.press("Read this file")
    await client.until(lambda: client.says("40 rows of pairs of a better and a worse answer"))
    await client.press("Import better.jsonl")
    await client.until(lambda: client.page.route.startswith("/data/"), seconds=10)
    await client.until(lambda: client.says("Which column is what"))
    assert [each.name for each in engine.library.datasets.value] == ["better"]


async def test_an_import_leaves_the_run_that_is_being_put_together_alone(show, engine: FakeEngine, tmp_path):
    client = await show("/new")
    await client.until(lambda: client.says("What should the model learn to do?"))
    await client.press("Chatbot")
    await client.go("/data")
    await client.press("Import data")
    await client.type("Path of a file on this computer", str(pairs(tmp_path)))
    await client.press("Read this file")
    await client.until(lambda: client.says("40 rows of pairs"))
    await client.go("/new")
    await client.press("Continue to Data")
    assert client.find(ft.TextField, label="Path of a file on this computer")[0].value == ""


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=300), st.integers(1, 40))
def test_every_row_is_in_exactly_one_bar_and_bars_touch(lengths, bars):
    bins = histogram(lengths, bars)
    assert sum(each.rows for each in bins) == len(lengths)
    assert len(bins) <= bars
    assert all(first.last + 1 == second.first for first, second in pairwise(bins))
    for each in bins:
        assert each.rows == sum(each.first <= length <= each.last for length in lengths)


def test_no_rows_are_no_bars():
    assert histogram([]) == []


def test_lengths_are_said_in_words():
    words = "Half of the rows have at most 3 tokens, 95 % at most 4; the longest has 90. 100 tokens in all."
    assert in_words([1, 2, 90, 3, 4]) == words


async def test_lengths_are_those_of_the_prepared_rows(engine: FakeEngine):
    made = await support(engine)
    model = engine.planning.models().models[0]
    facts = await engine.library.facts(made.id, model, 512)
    lengths = read_lengths(engine.library.prepared(facts), "train")
    assert (len(lengths), sum(lengths), max(lengths)) == (facts.rows, facts.tokens, facts.longest)
    shutil.rmtree(engine.home.prepared)
    with pytest.raises(OSError):
        read_lengths(engine.library.prepared(facts), "train")


@pytest.mark.parametrize(
    "characters,words",
    [
        (1, "1 character"),
        (940, "940 characters"),
        (6_600, "6.6 k characters"),
        (61_400, "61 k characters"),
        (2_400_000, "2.4 M characters"),
    ],
)
def test_sizes_are_short(characters, words):
    assert size_words(characters) == words


def test_roles_are_told_in_reading_order_and_only_those_there_are():
    mapping = Mapping(schema="multiple_choice", output="key", instruction="q", choices=("a", "b"))
    assert roles_of(mapping) == [("instruction", "q"), ("output", "key"), ("choice", "a"), ("choice", "b")]


@pytest.mark.parametrize(
    "what,rows,words",
    [
        ("Many are short.", 3, "3 rows, 25 % of all. "),
        ("Some (25%) are short.", 3, ""),
        ("There are only 3 rows.", 3, ""),
        ("It is one file.", 0, ""),
    ],
    ids=["not yet said", "share said", "count said", "about no rows"],
)
def test_how_many_rows_are_concerned_is_said_once(what, rows, words):
    assert concerned(Finding(level="info", what=what, why="", fix="", rows=rows, share=0.25)) == words


def test_a_split_names_its_test_rows_only_when_there_are_some(tmp_path):
    from engine.data.library import import_file
    from studio.pages.data import splits_words

    made = import_file(tmp_path / "sets", pairs(tmp_path), split=SplitPlan(validation=0.25, test=0.25))
    assert "to test" in splits_words(made)
    assert "to test" not in splits_words(msgspec.structs.replace(made, test_rows=0))
