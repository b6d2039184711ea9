"""A run that looked after itself: what the page tells of it, and what its buttons do."""

from __future__ import annotations

import flet as ft
import pytest

from engine.monitor.anomaly import Do
from engine.plan.models import starter_path
from engine.runs.views import RunView
from engine.spec.records import Action, Card, Event, RunState
from studio.pages.run_curve import signs_of
from studio.pages.run_healing import evidence
from studio.pages.verbs import possible
from tests.ui.fake_engine import FakeEngine
from tests.ui.fakes import EXPLODED, write_healing, write_preferences

pytestmark = pytest.mark.anyio
WIDTHS = pytest.mark.parametrize("width", [1440, 375, 320])
NEVER = {Do.STOP, Do.KEEP_BEST, Do.LOWER_RATE}
"""What only a run at work can do."""


def asking(engine: FakeEngine, card: Card = EXPLODED, **rest) -> None:
    """A paused run that proposes something."""
    write_healing(engine.runs.make("It", RunState.PAUSED, steps=70, error=card, **rest), card)
    engine.runs.refresh("run-1")


def buttons(client) -> list[str]:
    return [str(each.content) for each in client.find(ft.OutlinedButton)]


@WIDTHS
async def test_what_was_noticed_and_done_is_told_with_its_numbers(show, engine: FakeEngine, width):
    asking(engine)
    client = await show("/runs/run-1", width)
    for words in (
        "How it looked after itself",
        "2 things noticed, 1 remedy applied",
        "The gradient of step 30 exploded.",
        "It was 40 times its usual length.",
        "gradient norm 48.2 · usual gradient norm 1.21 · memory there (bytes) 24.0 GB",
        "The gradient of step 30 was cut to 1.3, the most that is usual.",
    ):
        assert client.says(words), words


async def test_a_healthy_run_has_no_such_list(show, engine: FakeEngine):
    engine.runs.make("It", RunState.RUNNING, steps=70)
    client = await show("/runs/run-1")
    assert client.says("Saved the state at step 60.") and not client.says("How it looked after itself")


async def test_the_curve_has_a_sign_at_each_step_where_something_happened(show, engine: FakeEngine):
    asking(engine)
    client = await show("/runs/run-1")
    chart = next(each for each in client.find(ft.Container) if each.on_size_change is not None)
    await client.event(chart, "size_change", {"w": 800.0, "h": 300.0})
    said = [str(each.tooltip) for each in client.find(ft.Icon) if str(each.tooltip).startswith("Step ")]
    assert sorted(said) == sorted(
        (
            "Step 30: The gradient of step 30 exploded.",
            "Step 70: Gradients exploded at step 70.",
            "Step 30: The gradient of step 30 was cut to 1.3, the most that is usual.",
        )
    )
    assert any("3 things happened on the way" in str(each.label) for each in client.find(ft.Semantics, image=True))


def happened(kind: str, step: int) -> Event:
    return Event(kind=kind, time=0.0, step=step, message=f"{kind} {step}")


def test_signs_that_would_lie_over_each_other_are_one_and_kinds_stay_apart():
    events = [happened("anomaly", 10), happened("anomaly", 11), happened("recovery", 11), happened("anomaly", 90)]
    found = signs_of(events, steps=100, pixels=700)
    assert [(each.kind, each.step, each.count) for each in found] == [
        ("anomaly", 10, 2),
        ("anomaly", 90, 1),
        ("recovery", 11, 1),
    ]


def test_evidence_is_the_numbers_and_not_the_words():
    facts = {"name": "plateau", "level": "notice", "why": "So.", "loss_now": 1.5, "best": True, "steps": 3}
    assert evidence(facts) == [("loss now", 1.5), ("steps", 3.0)]


async def test_accepting_a_proposal_resumes_the_run_as_it_proposed(show, engine: FakeEngine):
    asking(engine)
    client = await show("/runs/run-1")
    await client.press("Resume from step 60 at half the learning rate.")
    assert engine.runs.asked == [("accept", "run-1")]


async def test_what_cannot_be_done_now_is_advice_without_a_button(show, engine: FakeEngine):
    asking(engine)
    client = await show("/runs/run-1")
    assert client.says("Halve the learning rate and go on.")
    assert "Halve the learning rate and go on." not in buttons(client)
    assert "Look at the rows of its data." in buttons(client)


@pytest.mark.parametrize("verb", list(Do))
@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.PAUSED, RunState.FAILED, RunState.COMPLETED])
async def test_no_button_promises_what_it_cannot_do(show, engine: FakeEngine, verb, state):
    card = Card(what="Something.", why="So.", actions=(Action(label="Do it.", do=verb),))
    error = card if state in (RunState.PAUSED, RunState.FAILED) else None
    dataset = await engine.library.add(engine.library.samples()[0], "chat")
    folder = engine.runs.make("It", state, steps=70, error=error, model=starter_path(), dataset=dataset.id)
    write_healing(folder, card)
    engine.runs.refresh("run-1")
    client = await show("/runs/run-1")
    offered = [each for each in buttons(client) if each in ("Do it.", "Look at the rows of its data.")]
    if not offered:
        assert state is RunState.COMPLETED or client.says("Do it.")
        return
    await client.press(offered[0])
    await client.settle(20)
    assert engine.runs.asked or client.page.route in ("/new", f"/data/{dataset.id}")
    assert not any("defect" in words or "cannot" in words for words in client.toasts())


def view(state: RunState) -> RunView:
    return RunView(id="r", kind="train", name="r", state=state, created=0.0, updated=0.0)


@pytest.mark.parametrize("verb", list(Do))
def test_a_completed_run_is_not_stopped_nor_slowed_down(verb):
    action = Action(label="Do it.", do=verb)
    assert possible(action, view(RunState.RUNNING)) is (verb is not Do.ROLL_BACK)
    if verb in NEVER | {Do.RESUME, Do.ROLL_BACK}:
        assert not possible(action, view(RunState.COMPLETED))


def test_a_verb_that_is_not_known_is_advice():
    assert not possible(Action(label="Delete it.", do="delete"), view(RunState.FAILED))


async def test_starting_again_leads_to_a_review_with_everything_as_it_was_but_the_rate(show, engine: FakeEngine):
    dataset = await engine.library.add(engine.library.samples()[1], "support")
    again = Card(what="It fell apart.", why="So.", actions=(Action(label="Start again.", do=Do.RETRY_LOWER_RATE),))
    asking(engine, again, model=starter_path(), dataset=dataset.id)
    client = await show("/runs/run-1")
    await client.press("Start again.")
    await client.until(lambda: client.says("Before the start"), seconds=10)
    assert client.page.route == "/new"
    await client.press("Start training")
    await client.until(lambda: bool(engine.started))
    draft = engine.started[0]
    assert draft.edits["learning_rate"] == pytest.approx(1e-4)
    assert (draft.method, draft.objective, draft.edits["rank"], draft.edits["seed"]) == ("lora", "sft", 4, 7)


async def test_a_run_at_work_shows_what_it_proposes_until_it_is_put_aside(show, engine: FakeEngine):
    card = Card(what="The loss stands still.", why="So.", actions=(Action(label="Double it.", do="raise-rate"),))
    write_healing(engine.runs.make("It", RunState.RUNNING, steps=90), card)
    engine.runs.refresh("run-1")
    client = await show("/runs/run-1")
    await client.press("Double it.")
    assert engine.runs.asked == [("learning rate 0.002", "run-1")]
    await client.press("Leave it as it is")
    assert "Double it." not in buttons(client)


async def test_a_proposal_of_an_earlier_attempt_is_not_shown_again(show, engine: FakeEngine):
    folder = engine.runs.make("It", RunState.RUNNING, steps=90)
    write_healing(folder, EXPLODED, attempt=3)
    client = await show("/runs/run-1")
    assert client.says("step 90 of 200")
    assert "Look at the rows of its data." not in buttons(client)
    assert not client.find(ft.TextButton, content="Leave it as it is")


@pytest.mark.parametrize("damage", [b"", b"{", b'{"attempt": "x"}'], ids=["empty", "torn", "of another kind"])
async def test_a_damaged_proposal_is_no_proposal(show, engine: FakeEngine, damage):
    folder = engine.runs.make("It", RunState.RUNNING, steps=90)
    folder.proposal_file.write_bytes(damage)
    client = await show("/runs/run-1")
    assert client.says("step 90 of 200")


async def test_a_log_is_opened_by_its_action(show, engine: FakeEngine):
    card = Card(what="It ended.", why="So.", actions=(Action(label="Open the log.", do="log"),))
    folder = engine.runs.make("It", RunState.FAILED, steps=5, error=card)
    folder.log_file.write_text("the last words\n")
    engine.runs.refresh("run-1")
    client = await show("/runs/run-1")
    await client.press("Open the log.")
    assert client.says("the last words")


@WIDTHS
async def test_a_run_that_learns_preferences_shows_how_often_it_prefers_the_better_answer(show, engine, width):
    write_preferences(engine.runs.make("It", RunState.RUNNING, steps=80), 80)
    engine.runs.refresh("run-1")
    client = await show("/runs/run-1", width)
    for words in ("Prefers the better answer", "70 %", "by a margin of 0.8 nats", "On held-out rows", "71 %"):
        assert client.says(words), words


async def test_other_runs_show_no_preferences(show, engine: FakeEngine):
    engine.runs.make("It", RunState.RUNNING, steps=80)
    client = await show("/runs/run-1")
    assert client.says("step 80 of 200") and not client.says("Prefers the better answer")
