"""What the screens say and do, in every width, against real values and real run folders."""

from __future__ import annotations

import flet as ft
import pytest

from engine.core.settings import Settings
from engine.spec.records import Action, Card, RunState
from studio.theme import BAR, PANEL_WIDTH, SIDE_WIDTH
from tests.ui.fake_engine import FakeEngine
from tests.ui.fakes import write_steps
from tests.ui.results_home import furnish

pytestmark = pytest.mark.anyio
WIDTHS = pytest.mark.parametrize("width", [1440, 1024, 768, 375, 320])


@WIDTHS
async def test_a_first_visit_offers_two_ways_in(show, width):
    client = await show("/", width)
    assert client.says("Teach a language model your own examples")
    assert client.find(ft.FilledButton, content="Try it with sample data, about a minute")
    assert client.find(ft.OutlinedButton, content="Fine-tune a model")


@WIDTHS
async def test_later_home_shows_what_runs_and_what_needs_attention(show, engine: FakeEngine, width):
    engine.runs.make("First try", RunState.COMPLETED, steps=200, age=500)
    engine.runs.make("Labels", RunState.FAILED, steps=30, age=300)
    engine.runs.make("Longer", RunState.RUNNING, steps=90, age=60)
    client = await show("/", width)
    for words in ("Running now", "Needs your attention", "Recent work", "Longer", "Labels", "First try", "45 %"):
        assert client.says(words), words


@WIDTHS
async def test_every_page_can_be_drawn_with_nothing_in_the_home(show, engine: FakeEngine, width):
    furnish(engine)
    for route, words in (
        ("/runs", "No runs yet."),
        ("/versions", "No versions yet."),
        ("/exports", "No exports yet."),
        ("/playground", "No tuned model to talk to yet."),
        ("/settings", "Appearance"),
        ("/nowhere", "There is no page at this address."),
    ):
        client = await show(route, width)
        await client.until(lambda words=words, client=client: client.says(words) or _labelled(client, words))


def _labelled(client, words: str) -> bool:
    return any(each.label == words for each in client.find(ft.DropdownM2))


async def test_the_activity_bar_goes_to_a_page_and_marks_it(show):
    client = await show("/")
    await client.press("Runs (Alt+Shift+R)")
    await client.until(lambda: client.says("No runs yet."))
    marked = client.find(ft.Semantics, selected=True)
    assert [each.content.tooltip for each in marked if isinstance(each.content, ft.IconButton)] == [
        "Runs (Alt+Shift+R)"
    ]


async def test_keys_open_pages_and_plain_letters_do_not(show):
    client = await show("/")
    letters = {"ctrl": False, "meta": False}
    await client.event(client.page, "keyboard_event", {"key": "R", "alt": False, "shift": True, **letters})
    assert not client.says("No runs yet.")
    await client.event(client.page, "keyboard_event", {"key": "R", "alt": True, "shift": True, **letters})
    await client.until(lambda: client.says("No runs yet."))


@WIDTHS
async def test_a_running_run_shows_its_numbers_and_its_curve_in_words(show, engine: FakeEngine, width):
    engine.runs.make("Longer", RunState.RUNNING, steps=90)
    client = await show("/runs/run-1", width)
    for words in ("Longer", "running", "45 %", "step 90 of 200", "Epoch 1 of 2", "2,300", "610 MB"):
        assert client.says(words), words
    pictures = [each.label for each in client.find(ft.Semantics, image=True)]
    assert any("by step 90 of 200" in label for label in pictures)


async def test_the_curve_moves_while_the_run_goes_on(show, engine: FakeEngine):
    folder = engine.runs.make("Longer", RunState.RUNNING, steps=90)
    client = await show("/runs/run-1")
    chart = next(each for each in client.find(ft.Container) if each.on_size_change is not None)
    await client.event(chart, "size_change", {"w": 800.0, "h": 300.0})
    before = _pictures(client)
    write_steps(folder, 91, 120)
    engine.runs.refresh("run-1")
    await client.until(lambda: client.says("step 120 of 200"))
    await client.until(lambda: _pictures(client) != before)
    assert len(before) == 1
    assert 'width="800"' in before[0]


def _pictures(client) -> list[str]:
    return [str(each.src) for each in client.find(ft.Image) if str(each.src).startswith("<svg")]


@pytest.mark.parametrize(
    "state,button,verb",
    [
        (RunState.RUNNING, "Pause", "pause"),
        (RunState.RUNNING, "Stop", "stop"),
        (RunState.RUNNING, "Save now", "checkpoint_now"),
        (RunState.PAUSED, "Resume", "resume"),
        (RunState.STOPPED, "Resume", "resume"),
        (RunState.FAILED, "Resume", "resume"),
    ],
)
async def test_a_run_can_be_told_what_its_state_allows(show, engine: FakeEngine, state, button, verb):
    engine.runs.make("It", state, steps=50)
    client = await show("/runs/run-1")
    await client.press(button)
    assert engine.runs.asked == [(verb, "run-1")]


async def test_a_failed_run_explains_itself_and_its_button_carries_the_action_out(show, engine: FakeEngine):
    card = Card(what="Memory ran out.", why="7 GB needed.", actions=(Action(label="Resume smaller.", do="resume"),))
    engine.runs.make("It", RunState.FAILED, steps=50, error=card)
    client = await show("/runs/run-1")
    assert client.says("Memory ran out.") and client.says("7 GB needed.")
    await client.press("Resume smaller.")
    assert engine.runs.asked == [("resume", "run-1")]


async def test_going_from_one_run_to_another_shows_the_other(show, engine: FakeEngine):
    engine.runs.make("First", RunState.COMPLETED, steps=200)
    engine.runs.make("Second", RunState.RUNNING, steps=10)
    client = await show("/runs/run-1")
    assert client.says("First")
    await client.go("/runs/run-2")
    await client.until(lambda: client.says("step 10 of 200"))
    assert not client.says("First")


async def test_the_tabs_of_a_run_show_events_settings_checkpoints_and_the_log(show, engine: FakeEngine):
    folder = engine.runs.make("It", RunState.RUNNING, steps=40)
    folder.log_file.write_text("loading\nready\n")
    engine.runs.refresh("run-1")
    client = await show("/runs/run-1")
    assert client.says("Saved the state at step 40.")
    await client.press("Log")
    assert client.says("ready")
    await client.press("Settings")
    assert client.says("Learning rate") and client.says("0.001")
    await client.press("Checkpoints")
    assert client.says("No checkpoint yet.")


async def test_runs_are_filtered_by_state_and_by_words(show, engine: FakeEngine):
    engine.runs.make("Alpha", RunState.COMPLETED, steps=200)
    engine.runs.make("Beta", RunState.FAILED, steps=20)
    client = await show("/runs")
    await client.press("Failed")
    assert client.says("Beta") and not client.says("Alpha")
    await client.press("All")
    await client.type("Search name, model, data", "alp")
    assert client.says("Alpha") and not client.says("Beta")
    await client.type("Search name, model, data", "nothing like it")
    assert client.says("No run fits.")


async def test_a_narrow_window_has_a_bar_with_names_and_a_wide_one_a_status_strip(show):
    narrow, wide = await show("/", 375), await show("/", 1440)
    assert narrow.says("Playground") and not narrow.says("Works offline")
    assert wide.says("Works offline")


@pytest.mark.parametrize("width,columns", [(1200, 3), (1199, 2), (768, 2), (767, 1), (320, 1)])
async def test_columns_appear_exactly_at_their_widths(show, engine: FakeEngine, width, columns):
    engine.settings.set(Settings())
    engine.runs.make("It", RunState.COMPLETED, steps=200)
    client = await show("/", width)
    assert client.says("Works offline") is (columns > 1)
    there = {each.width for each in client.find(ft.Container, visible=True)} & {BAR, SIDE_WIDTH, PANEL_WIDTH}
    assert there == {3: {BAR, SIDE_WIDTH, PANEL_WIDTH}, 2: {BAR, SIDE_WIDTH}, 1: set()}[columns]


async def test_the_window_follows_its_width(show, engine: FakeEngine):
    client = await show("/", 1440)
    client.page.width = 375
    await client.event(client.page, "resize", {"width": 375.0, "height": 800.0})
    await client.until(lambda: client.says("Playground"))


async def test_a_choice_of_theme_is_saved_and_applied(show, engine: FakeEngine):
    client = await show("/settings")
    dropdown = client.find(ft.DropdownM2)[0]
    await client.event(dropdown, "change", "dark")
    assert engine.settings.value.theme == "dark"
    await client.until(lambda: client.page.theme_mode is ft.ThemeMode.DARK)


async def test_the_update_loop_is_started_again_when_an_error_ended_it(show):
    client = await show("/")
    task = client.session._Session__updates_task
    task.cancel()
    await client.until(lambda: client.session._Session__updates_task is not task, seconds=3)


@pytest.mark.parametrize("width, named", [(390, True), (320, False)])
async def test_places_at_the_bottom_have_names_where_the_longest_fits(show, width, named):
    client = await show("/runs", width)
    assert client.find(ft.Semantics, label="Playground") and client.says("Playground") == named
