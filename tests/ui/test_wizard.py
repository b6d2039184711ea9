"""The wizard, step by step, over real files, real planning and the real tokenizer of the starter model."""

from __future__ import annotations

from pathlib import Path

import flet as ft
import pytest

from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_palette import field, press_keys, type_in

pytestmark = pytest.mark.anyio
PATH = "Path of a file on this computer"


def csv(folder: Path, text: str) -> Path:
    file = folder / "mine.csv"
    file.write_text(text)
    return file


def pairs(folder: Path, count: int = 40) -> Path:
    return csv(folder, "question,answer\n" + "\n".join(f"What is {n} plus one?,It is {n + 1}." for n in range(count)))


async def read(client: Client, file: Path) -> None:
    await client.type(PATH, str(file))
    await client.press("Read this file")
    await client.until(lambda: client.find(ft.OutlinedButton, content="Read this file"))


async def at_data(show) -> Client:
    client = await show("/new")
    await client.until(lambda: client.says("What should the model learn to do?"))
    await client.press("Question answering")
    await client.press("Continue to Data")
    return client


async def at_model(show, folder: Path) -> Client:
    client = await at_data(show)
    await read(client, pairs(folder))
    await client.press("Use this data")
    await client.until(lambda: client.find(ft.FilledButton, content="Continue to Model"))
    await client.press("Continue to Model")
    return client


async def at_settings(show, folder: Path) -> Client:
    client = await at_model(show, folder)
    await client.press("starter")
    await client.press("Continue to Settings")
    await client.until(lambda: client.says("What matters most"))
    return client


async def test_nothing_can_be_skipped_before_a_use_case_is_chosen(show):
    client = await show("/new")
    await client.until(lambda: client.find(ft.FilledButton, content="Continue to Data"))
    assert client.find(ft.FilledButton, content="Continue to Data")[0].disabled
    await client.press("Chatbot")
    assert not client.find(ft.FilledButton, content="Continue to Data")[0].disabled


async def test_a_file_is_read_and_its_columns_get_roles(show, tmp_path):
    client = await at_data(show)
    await read(client, pairs(tmp_path))
    for words in ("40 rows of questions with answers", "question", "answer", "It is 1."):
        assert client.says(words), words


async def test_lines_that_cannot_be_used_are_named_with_their_number(show, tmp_path):
    client = await at_data(show)
    text = "question,answer\n" + "\n".join(f"q{n},a{n}" for n in range(30)) + "\nno answer here,\n"
    await read(client, csv(tmp_path, text))
    assert client.says("1 line could not be used")
    assert client.says("line 32")


async def test_a_file_that_is_not_there_is_explained(show):
    client = await at_data(show)
    await read(client, Path("/nowhere/data.csv"))
    await client.until(lambda: client.says("/nowhere/data.csv") or client.says("data.csv"))
    assert client.find(ft.FilledButton, content="Use this data")[0].disabled


async def test_columns_without_a_clear_meaning_are_asked_for(show, tmp_path):
    client = await at_data(show)
    rows = "\n".join(f"alpha {n} beta,gamma {n} delta" for n in range(30))
    await read(client, csv(tmp_path, "one,two\n" + rows))
    assert client.says("Which column is what?")
    for label, column in (("Question", "one"), ("Answer", "two")):
        await client.event(client.find(ft.DropdownM2, label=label)[0], "change", column)
    await client.press("Use these columns")
    await client.until(lambda: client.says("30 rows of questions with answers"))
    assert not client.find(ft.FilledButton, content="Use this data")[0].disabled


async def test_rows_are_shown_as_the_model_sees_them_with_the_learned_part_marked(show, tmp_path):
    client = await at_data(show)
    await read(client, pairs(tmp_path))
    await client.press("Use this data")
    await client.until(lambda: client.says("As starter will see it"))
    spans = [span for each in client.find(ft.Text) for span in each.spans or []]
    learned = [span.text for span in spans if span.style and span.style.bgcolor]
    assert learned and all("It is" in (words or "") for words in learned)


async def test_going_back_keeps_everything(show, tmp_path):
    client = await at_settings(show, tmp_path)
    await client.type("Epochs", "3")
    await client.press("Step 2: Data")
    assert client.says("40 rows of questions with answers")
    await client.press("Step 1: Use case")
    await client.press("Step 4: Settings")
    await client.until(lambda: client.find(ft.TextField, label="Epochs"))
    assert client.find(ft.TextField, label="Epochs")[0].value == "3"


async def test_leaving_the_wizard_and_coming_back_keeps_everything(show, tmp_path):
    client = await at_settings(show, tmp_path)
    await client.go("/runs")
    await client.go("/new")
    await client.until(lambda: client.says("What matters most"))


async def test_an_edit_changes_the_estimate_and_can_be_taken_back(show, tmp_path):
    client = await at_settings(show, tmp_path)
    suggested = client.find(ft.TextField, label="Epochs")[0].value
    await client.type("Epochs", "3")
    await client.until(lambda: client.says("You chose it."))
    steps = next(words for words in client.words() if "steps at about" in words)
    await client.press("Suggested value for Epochs")
    await client.until(lambda: client.find(ft.TextField, label="Epochs")[0].value == suggested)
    assert next(words for words in client.words() if "steps at about" in words) != steps


async def test_five_settings_are_shown_and_all_on_demand(show, tmp_path):
    client = await at_settings(show, tmp_path)
    assert len(client.find(ft.TextField)) == 5
    await client.press(
        next(str(each.content) for each in client.find(ft.TextButton) if "Show all" in str(each.content))
    )
    assert client.says("Advanced") and client.says("Expert")
    assert len(client.find(ft.TextField)) > 12


async def test_review_checks_and_starts_the_run(show, tmp_path, engine: FakeEngine):
    client = await at_settings(show, tmp_path)
    await client.press("Continue to Review")
    for words in ("Before the start", "Memory is enough", "Rows are held out", "LoRA"):
        assert client.says(words), words
    await client.press("Start training")
    await client.until(lambda: client.page.route == "/runs/run-1")
    assert [draft.model.name for draft in engine.started] == ["starter"]


async def test_sample_data_leads_straight_to_the_last_step(show, engine: FakeEngine):
    client = await show("/")
    await client.press("Try it with sample data, about a minute")
    await client.until(lambda: client.says("Before the start"), seconds=10)
    await client.press("Start training")
    await client.until(lambda: bool(engine.started))
    assert engine.started[0].data.rows == 384


@pytest.mark.parametrize("width", [1024, 768, 375, 320])
async def test_every_step_can_be_drawn_in_every_width(show, tmp_path, width):
    client = await show("/new", width)
    await client.until(lambda: client.says("What should the model learn to do?"))
    await client.press("Question answering")
    await client.press("Continue to Data")
    await read(client, pairs(tmp_path))
    await client.press("Use this data")
    await client.until(lambda: client.find(ft.FilledButton, content="Continue to Model"))
    await client.press("Continue to Model")
    await client.press("starter")
    await client.press("Continue to Settings")
    await client.until(lambda: client.says("What matters most"))
    await client.press("Continue to Review")
    assert client.says("Before the start")


async def test_two_windows_have_drafts_of_their_own(show):
    first, second = await show("/new"), await show("/new")
    await first.until(lambda: first.says("What should the model learn to do?"))
    await first.press("Chatbot")
    await second.until(lambda: second.find(ft.FilledButton, content="Continue to Data"))
    assert second.find(ft.FilledButton, content="Continue to Data")[0].disabled


async def test_expert_mode_shows_every_setting_until_a_draft_says_otherwise(show, engine: FakeEngine, tmp_path):
    client = await show("/")
    await press_keys(client, "Ctrl+Shift+P")
    await type_in(client, "expert mode")
    await client.event(field(client), "submit", "expert mode")
    await client.until(lambda: engine.settings.value.expert_mode)
    client = await at_settings(show, tmp_path)
    await client.until(lambda: client.says("Advanced") and client.says("Expert"))
    assert any(each.key == "tuner" for each in client.find(ft.DropdownM2)[0].options or ())
    await client.press("Show only what matters most")
    await client.until(lambda: not client.says("Advanced"))


async def test_what_was_noticed_is_mended_by_one_press_and_the_mended_version_is_trained_on(
    show, engine: FakeEngine, tmp_path
):
    rows = ["question,answer", *(f"Where is article {n}?,In street {n} on the left." for n in range(40))]
    file = tmp_path / "shop.csv"
    file.write_text("\n".join([*rows, "Whom do I ask?,Ask jane.roe@mail.org about it."]))
    client = await at_data(show)
    await read(client, file)
    fix = "Hide these personal details"
    assert client.says("personal") and not client.find(ft.OutlinedButton, content=fix)
    await client.press("Use this data")
    await client.until(lambda: client.find(ft.OutlinedButton, content=fix))
    (before,) = engine.library.datasets.value
    await client.press(fix)
    await client.until(lambda: not client.find(ft.OutlinedButton, content=fix))
    made = next(each for each in engine.library.datasets.value if each.id != before.id)
    assert made.parent == before.id and client.page.route == "/new"
    chosen = f"Dataset {made.name}"
    await client.until(lambda: len(client.find(ft.Semantics, label=chosen, selected=True)) == 1)
    assert [each.do for each in made.steps] == ["redact"]
