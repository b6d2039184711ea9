"""The page of a run beyond its numbers: the log, what can be changed while it runs, its place in the queue."""

from __future__ import annotations

import math
from dataclasses import fields

import anyio
import flet as ft
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.spec.records import RunState
from studio.pages.run_log import LEVELS, found
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio
LOG = """2026-01-02 10:00:00,1 INFO engine.worker: loading
2026-01-02 10:00:01,1 WARNING engine.worker: slow disk
2026-01-02 10:00:02,1 ERROR engine.worker: it broke
Traceback (most recent call last):
  <b>not markup</b> שלום
2026-01-02 10:00:03,1 INFO engine.worker: ready
"""
NOWHERE = {"x": 0.0, "y": 0.0}
DRAG_END = {"k": "mouse", "l": NOWHERE, "g": NOWHERE, "v": NOWHERE, "velocity": NOWHERE, "pv": 0.0}


def test_a_stack_belongs_to_the_error_that_it_follows():
    lines = LOG.splitlines()
    assert found(lines, "", "Errors") == lines[2:5]
    assert found(lines, "", "Warnings and errors") == lines[1:5]
    assert found(lines, "WORKER: R", "All") == lines[5:]


@given(st.lists(st.text(max_size=40), max_size=30), st.text(max_size=4), st.sampled_from(list(LEVELS)))
def test_a_filter_only_leaves_out(lines: list[str], words: str, level: str):
    left = found(lines, words, level)
    rest = iter(lines)
    assert all(line in rest for line in left)
    assert found(lines, "", "All") == lines


async def test_the_log_is_filtered_by_level_and_words_and_markup_is_text(show, engine: FakeEngine):
    folder = engine.runs.make("It", RunState.RUNNING, steps=40)
    folder.log_file.write_text(LOG)
    engine.runs.refresh("run-1")
    client = await show("/runs/run-1")
    await client.press("Log")
    assert client.says("  <b>not markup</b> שלום") and client.says("6 lines")
    await client.press("Errors")
    assert client.says("it broke") and not client.says("slow disk") and client.says("3 lines")
    await client.type("Search the log", "nothing")
    assert client.says("No line to show.")


async def test_a_held_log_stands_still_until_it_is_followed_again(show, engine: FakeEngine):
    folder = engine.runs.make("It", RunState.RUNNING, steps=40)
    folder.log_file.write_text(LOG)
    engine.runs.refresh("run-1")
    client = await show("/runs/run-1")
    await client.press("Log")
    await client.event(client.find(ft.Switch, label="Follow")[0], "change", False)
    folder.log_file.write_text(LOG + "one more line\n")
    engine.runs.refresh("run-1")
    await client.settle(40)
    assert not client.says("one more line")
    await client.event(client.find(ft.Switch, label="Follow")[0], "change", True)
    await client.until(lambda: client.says("one more line"))


async def test_values_are_changed_while_it_runs(show, engine: FakeEngine):
    engine.runs.make("It", RunState.RUNNING, steps=40)
    client = await show("/runs/run-1")
    await client.type("Peak learning rate", "0.0003")
    await client.until(lambda: not client.find(ft.OutlinedButton, content="Apply")[0].disabled)
    await client.press("Apply")
    await client.until(lambda: engine.runs.asked == [("learning rate 0.0003", "run-1")])
    await client.type("Peak learning rate", "7")
    assert client.says("At most 0.999.")
    await client.type("Measure held-out rows every", "7")
    await client.type("Save a checkpoint every", "0")
    assert client.says("At least 1.")
    await client.until(lambda: not client.find(ft.OutlinedButton, content="Apply")[0].disabled)
    engine.runs.asked.clear()
    await client.press("Apply")
    await client.until(lambda: bool(engine.runs.asked))
    assert "validate every 7" in engine.runs.asked[0][0] and "checkpoint" not in engine.runs.asked[0][0]


async def test_a_run_at_rest_has_nothing_to_change(show, engine: FakeEngine):
    engine.runs.make("It", RunState.COMPLETED, steps=200)
    client = await show("/runs/run-1")
    assert not client.says("Change while it runs")


async def test_a_waiting_run_says_its_place_and_what_it_waits_for(show, engine: FakeEngine):
    engine.runs.make("It", RunState.CREATED)
    waiting = msgspec.structs.replace(engine.runs.list.value[0], queue_position=3, waits_for="2 runs are at work")
    engine.runs.list.set((waiting,))
    client = await show("/runs/run-1")
    await client.until(lambda: client.says("Place 3 in the queue. It waits: 2 runs are at work."))


async def test_the_other_runs_of_a_sweep_are_listed(show, engine: FakeEngine):
    for name in ("One", "Two", "Alone"):
        engine.runs.make(name, RunState.COMPLETED, steps=200)
    views = engine.runs.list.value
    engine.runs.list.set(tuple(msgspec.structs.replace(v, sweep="" if v.name == "Alone" else "s") for v in views))
    live = engine.runs.live("run-1")
    live.view.set(msgspec.structs.replace(live.view.value, sweep="s"))
    client = await show("/runs/run-1")
    await client.until(lambda: client.says("The other 1 of its sweep"))
    assert client.says("Two") and not client.says("Alone")


async def test_the_curve_is_zoomed_read_and_its_scale_changed_by_buttons_alone(show, engine: FakeEngine):
    engine.runs.make("It", RunState.RUNNING, steps=90)
    client = await show("/runs/run-1")
    chart = next(each for each in client.find(ft.Container) if each.on_size_change is not None)
    await client.event(chart, "size_change", {"w": 800.0, "h": 300.0})

    def picture() -> str:
        return next(str(each.src) for each in client.find(ft.Image) if str(each.src).startswith("<svg"))

    seen = [picture()]
    for button in ("Zoom in", "Logarithmic", "Smoothing: more", "Zoom out"):
        await client.press(button)
        seen.append(picture())
    assert len(set(seen)) == len(seen)
    await client.press("Step to read: less")
    assert client.says("Step 88: training")


async def test_the_crosshair_says_the_values_and_a_drag_zooms(show, engine: FakeEngine):
    engine.runs.make("It", RunState.RUNNING, steps=90)
    client = await show("/runs/run-1")
    chart = next(each for each in client.find(ft.Container) if each.on_size_change is not None)
    await client.event(chart, "size_change", {"w": 800.0, "h": 300.0})
    over = client.find(ft.GestureDetector)[0]
    await client.event(over, "hover", at(200))
    await client.until(lambda: any(words.startswith("Step 4") for words in client.words()))
    before = [str(each.src) for each in client.find(ft.Image)]
    await client.event(client.find(ft.GestureDetector)[0], "horizontal_drag_start", at(100))
    await client.event(client.find(ft.GestureDetector)[0], "horizontal_drag_update", at(300))
    await client.event(client.find(ft.GestureDetector)[0], "horizontal_drag_end", DRAG_END)
    await client.until(lambda: [str(each.src) for each in client.find(ft.Image)] != before)
    assert not client.find(ft.IconButton, tooltip="Zoom out")[0].disabled


def at(x: float) -> dict[str, object]:
    """A pointer event at a place."""
    place = {"x": x, "y": 100.0}
    named = (each.metadata.get("data_field") or each.name for each in fields(ft.PointerEvent))
    event: dict[str, object] = {name: 0.0 for name in named if name not in ("name", "data", "control")}
    return {**event, "k": "mouse", "l": place, "g": place, "ld": place, "gd": place}


async def test_the_system_tab_judges_the_run_and_shows_all_that_is_measured(show, engine: FakeEngine):
    engine.runs.make("It", RunState.RUNNING, steps=60)
    live = engine.runs.live("run-1")
    for step in range(1, 61):
        for name, value in (
            ("step_seconds", 1.0),
            ("compute_seconds", 0.9),
            ("padding_share", 0.5),
            ("gradient_norm", math.inf),
        ):
            live.series[name].add(step, value, float(step), 0)
    client = await show("/runs/run-1")
    assert client.says("tokens/s, could be faster") and client.says("good, falling")
    await client.press("System")
    await client.until(lambda: client.says("50 % of the tokens computed are padding."))
    for words in ("Perplexity", "Gradient norm", "Worker memory", "A step takes"):
        assert client.says(words), words
    told = [str(each.semantics_label) for each in client.find(ft.Image)]
    assert any(each.startswith("Padding: 50 %") for each in told)


async def test_progress_is_announced_to_screen_readers(show, engine: FakeEngine):
    engine.runs.make("It", RunState.RUNNING, steps=90, total=200)
    client = await show("/")
    run = engine.runs.list.value[0]
    engine.runs.list.set((msgspec.structs.replace(run, step=101),))
    await client.until(
        lambda: any("50 % done" in str(each.label) for each in client.find(ft.Semantics, live_region=True))
    )


async def test_a_step_or_a_tab_draws_its_own_part_and_not_the_whole_page(
    show, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
):
    from studio.pages import run as page

    drawn: list[int] = []
    frame = page.frame
    monkeypatch.setattr(page, "frame", lambda *args, **named: (drawn.append(1), frame(*args, **named))[1])
    engine.runs.make("It", RunState.RUNNING, steps=40, total=1000)
    client = await show("/runs/run-1")
    live = engine.runs.live("run-1")
    before = len(drawn)
    live.view.set(msgspec.structs.replace(live.view.value, step=77))
    await client.until(lambda: client.says("step 77 of 1000"))
    await client.press("Checkpoints")
    await client.until(lambda: client.says("No checkpoint yet."))
    await anyio.sleep(0.7)  # by then it would have been drawn anew
    assert len(drawn) == before
    live.view.set(msgspec.structs.replace(live.view.value, state=RunState.PAUSED))
    await client.until(lambda: len(drawn) > before)
    await client.until(lambda: client.find(ft.FilledButton, content="Resume"))
