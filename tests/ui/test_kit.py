"""The kit keeps its promises: nothing freezes, nothing covers the app, no text is lost."""

from __future__ import annotations

import asyncio
import functools
import gc

import flet as ft
import pytest

from engine.core.errors import DataError
from engine.core.topics import Feed, Topic
from engine.spec.records import Action, Card
from studio.hooks import NotProvided, use_engine, use_feed, use_topic
from studio.kit import Busy, ErrorCard, NumberField, TextField, component, primary
from studio.kit.guard import _wants_event
from tests.ui.client import drawn

pytestmark = pytest.mark.anyio


async def test_a_component_that_fails_draws_a_card_and_the_rest_goes_on():
    @component
    def Broken() -> ft.Control:
        raise ValueError("secret detail")

    @component
    def Page() -> ft.Control:
        count, set_count = ft.use_state(0)
        return ft.Column([Broken(), primary(f"pressed {count}", lambda: set_count(lambda now: now + 1))])

    client = await drawn(Page)
    assert client.says("Something went wrong inside PEFT Studio.")
    assert not client.says("secret detail")
    await client.press("pressed 0")
    assert client.find(ft.FilledButton, content="pressed 1")


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_handler_that_fails_says_so_and_does_not_cover_the_app(kind):
    tried: list[None] = []

    def plain() -> None:
        tried.append(None)
        raise DataError("The file is empty.", "It has 0 bytes.", "Choose another.")

    async def later() -> None:
        plain()

    @component
    def Page() -> ft.Control:
        return primary("Go", plain if kind == "plain" else later)

    client = await drawn(Page)
    await client.press("Go")
    for words in ("The file is empty.", "It has 0 bytes.", "Choose another."):
        assert client.says(words), words
    (dialog,) = client.find(ft.AlertDialog, open=True)
    await client.press("Try again")
    assert not dialog.open and len(tried) == 2
    await client.press("Close")
    assert not client.find(ft.AlertDialog, open=True)
    assert client.crashed() == []


async def test_a_handlers_default_arguments_are_not_taken_for_the_event():
    seen: list[str] = []

    @component
    def Page() -> ft.Control:
        return ft.Column([primary(name, lambda name=name: seen.append(name)) for name in ("a", "b")])

    client = await drawn(Page)
    await client.press("b")
    assert seen == ["b"]


def test_a_wrapped_handler_is_asked_what_it_wraps():
    def wrapped(function):
        return functools.wraps(function)(lambda *given: function(*given))

    shapes = {
        "event": wrapped(lambda event: event),
        "nothing": wrapped(lambda: None),
        "bound": lambda each="a default": each,
        "event and bound": lambda event, each="a default": (event, each),
    }
    wants = {name: _wants_event(handler) for name, handler in shapes.items()}
    assert wants == {"event": True, "nothing": False, "bound": False, "event and bound": True}


async def test_text_survives_a_redraw_and_is_handed_over_when_the_field_is_left():
    topic: Topic[int] = Topic(0)
    seen: list[str] = []

    @component
    def Page() -> ft.Control:
        use_topic(topic, every=0)
        return TextField("", seen.append, label="Name")

    client = await drawn(Page)
    field = client.find(ft.TextField)[0]
    task = asyncio.create_task(client.event(field, "change", "half a wo"))
    await client.settle()
    topic.set(1)
    await client.settle(20)
    assert client.find(ft.TextField)[0].value == "half a wo"
    assert seen == []
    await client.event(client.find(ft.TextField)[0], "blur")
    assert seen == ["half a wo"]
    task.cancel()


@pytest.mark.parametrize("rest", [0, 0.01])
async def test_what_is_typed_while_keys_wait_is_not_taken_back(rest: float):
    """The browser is ahead of the events of its keys; a redraw between must not write what was there before."""

    @component
    def Page() -> ft.Control:
        words, set_words = ft.use_state("")
        return ft.Column([TextField(words, set_words, label="Name", rest=rest), ft.Text(f"Hello {words}")])

    client = await drawn(Page)
    typed = "a path"
    for end in range(2, len(typed) + 1, 2):
        field = client.find(ft.TextField)[0]
        client.session.apply_patch(field._i, {"value": typed[: end - 1]})  # told by the browser before its event
        key = asyncio.create_task(client.session.dispatch_event(field._i, "change", typed[: end - 1]))
        client.session.apply_patch(field._i, {"value": typed[:end]})  # the next key, while that event waits
        await client.settle(30)
        assert client.find(ft.TextField)[0].value == typed[:end]
        await key
    await client.until(lambda: client.says(f"Hello {typed}"))
    assert client.find(ft.TextField)[0].value == typed


async def test_a_space_after_a_word_stays_where_the_page_keeps_it_without():
    @component
    def Page() -> ft.Control:
        words, set_words = ft.use_state("")
        return TextField(words, lambda typed: set_words(typed.strip()), label="Name", rest=0)

    client = await drawn(Page)
    await client.event(client.find(ft.TextField)[0], "change", "my ")
    assert client.find(ft.TextField)[0].value == "my "


async def test_text_is_handed_over_when_its_page_is_left_before_the_rest():
    seen: list[str] = []

    @component
    def Page() -> ft.Control:
        step, go = ft.use_state(0)
        field = [TextField("", seen.append, label="Name", hint=f"{step}", rest=0.05)] if step < 2 else []
        return ft.Column([ft.TextButton("Go on", on_click=lambda: go(lambda now: now + 1)), *field])

    client = await drawn(Page)
    key = asyncio.create_task(client.event(client.find(ft.TextField)[0], "change", "word"))
    await client.settle()
    await client.press("Go on")  # drawn anew
    await client.press("Go on")
    assert not client.find(ft.TextField)
    gc.collect()
    await key
    assert seen == ["word"]


async def test_text_is_handed_over_after_a_rest_without_leaving():
    seen: list[str] = []

    @component
    def Page() -> ft.Control:
        return TextField("", seen.append, label="Name")

    client = await drawn(Page)
    await client.event(client.find(ft.TextField)[0], "change", "word")
    assert seen == ["word"]


async def test_a_number_typed_in_another_way_is_not_rewritten_and_a_reset_is_shown():
    topic: Topic[float] = Topic(0.002)

    @component
    def Page() -> ft.Control:
        return NumberField(use_topic(topic, every=0), topic.set, label="Rate")

    client = await drawn(Page)
    await client.type("Rate", "1e-4")
    await client.settle(20)
    assert topic.value == 0.0001
    assert client.find(ft.TextField)[0].value == "1e-4"
    topic.set(0.002)
    await client.until(lambda: client.find(ft.TextField)[0].value == "0.002")


@pytest.mark.parametrize(
    "typed,problem,handed_over",
    [
        ("7", "", [7]),
        ("0", "At least 1.", []),
        ("99", "At most 10.", []),
        ("x", "Enter a whole number.", []),
        ("2.5", "Enter a whole number.", []),
    ],
)
async def test_a_number_outside_its_limits_is_explained_and_not_handed_over(typed, problem, handed_over):
    seen: list[float] = []

    @component
    def Page() -> ft.Control:
        return NumberField(3, seen.append, label="Rank", whole=True, minimum=1, maximum=10)

    client = await drawn(Page)
    await client.type("Rank", typed)
    assert seen == handed_over
    assert not problem or client.says(problem)


async def test_a_busy_button_cannot_be_pressed_twice():
    gate = asyncio.Event()
    calls: list[int] = []

    async def work() -> None:
        calls.append(1)
        await gate.wait()

    @component
    def Page() -> ft.Control:
        return Busy("Import", "Importing", work)

    client = await drawn(Page)
    task = asyncio.create_task(client.press("Import"))
    await client.settle(20)
    assert client.find(ft.FilledButton, content="Importing…")[0].disabled
    gate.set()
    await task
    assert client.find(ft.FilledButton, content="Import")
    assert calls == [1]


async def test_an_error_card_offers_what_can_be_done_for_you_as_buttons():
    done: list[str] = []
    card = Card(
        what="Out of memory.", why="7 GB.", actions=(Action(label="Halve it.", do="halve"), Action(label="Wait."))
    )

    @component
    def Page() -> ft.Control:
        return ErrorCard(card, lambda action: done.append(action.do))

    client = await drawn(Page)
    assert client.says("Out of memory.") and client.says("7 GB.") and client.says("Wait.")
    await client.press("Halve it.")
    assert done == ["halve"]


async def test_a_hundred_updates_a_second_become_a_few_drawings():
    topic: Topic[int] = Topic(0)
    drawings: list[int] = []

    @component
    def Page() -> ft.Control:
        value = use_topic(topic, every=0.1)
        drawings.append(value)
        return ft.Text(str(value))

    client = await drawn(Page)
    for number in range(1, 51):
        topic.set(number)
        await asyncio.sleep(0.005)
    await client.until(lambda: client.says("50"))
    assert len(drawings) < 10


async def test_a_feed_shows_its_newest_entries():
    feed: Feed[str] = Feed()
    feed.extend([f"line {number}" for number in range(30)])

    @component
    def Page() -> ft.Control:
        return ft.Column([ft.Text(line) for line in use_feed(feed, limit=5, every=0.0)])

    client = await drawn(Page)
    assert client.words() == [f"line {number}" for number in range(25, 30)]
    feed.extend(["the newest"])
    await client.until(lambda: client.says("the newest"))


async def test_an_engine_outside_the_app_is_named_as_the_mistake_it_is():
    problems: list[Exception] = []

    @component
    def Page() -> ft.Control:
        try:
            use_engine()
        except NotProvided as error:
            problems.append(error)
        return ft.Text("x")

    await drawn(Page)
    assert "App(engine)" in str(problems[0])
