"""The playground: asking, comparing, rating, stopping, going on after a model died, and the history of it all."""

from __future__ import annotations

import asyncio

import anyio
import flet as ft
import msgspec
import pytest

from engine.core.errors import RunError
from engine.serving.nouns import Conversation
from engine.serving.talk import Talk
from studio.session import Session
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.test_palette import press_keys
from tests.ui.test_results import version

pytestmark = pytest.mark.anyio
TUNED = "run-1-v1.0.0"


async def talking(show, engine: FakeEngine, width: int = 1440) -> Client:
    engine.outcomes.versions.set((version(),))
    client = await show("/playground", width)
    await client.until(lambda: client.says("Ask something."))
    await client.until(lambda: not client.says("Loading the model into memory…"))
    return client


async def ask(client: Client, words: str, hint: str = "Ask both models") -> None:
    await client.type(hint, words)
    await client.press("Send")


async def answered(client: Client, times: int = 2) -> None:
    await client.until(lambda: sum("42 tokens/s" in words for words in client.words()) == times)
    await client.until(lambda: client.find(ft.IconButton, tooltip="Send"))


async def kept(engine: FakeEngine) -> tuple[Conversation, ...]:
    return await engine.playground.kept.all()


async def test_both_models_answer_the_same_prompt_side_by_side(show, engine: FakeEngine):
    client = await talking(show, engine)
    await ask(client, "Do you have plums?")
    await client.until(lambda: client.says("We have plums.") and client.says("I am a base."))
    await answered(client)
    asked = [(prompt, adapter) for prompt, adapter, _ in engine.hosts.host.asked]
    assert asked == [("Do you have plums?", TUNED), ("Do you have plums?", None)]
    assert client.find(ft.TextField, hint_text="Ask both models")[0].value == ""


async def test_a_narrow_window_shows_one_answer_at_a_time(show, engine: FakeEngine):
    client = await talking(show, engine, 390)
    await ask(client, "Plums?")
    await client.until(lambda: client.says("We have plums."))
    assert not client.says("I am a base.")
    await answered(client, 1)
    await client.event(client.find(ft.Semantics, label="Base starter")[-1].content, "click")
    await client.until(lambda: client.says("I am a base."))
    assert not client.says("We have plums.")
    await client.press("Settings")
    await client.until(lambda: client.find(ft.TextField, label="Temperature"))
    await client.press("Talk")
    await client.until(lambda: client.says("Plums?"))


async def test_answers_appear_word_by_word_and_escape_stops_them(show, engine: FakeEngine):
    client = await talking(show, engine)
    engine.hosts.host.go_on = anyio.Event()
    await client.press("Do you have plums?")
    await client.until(lambda: client.says("We ") and client.says("I "))
    assert not client.says("We have plums.")
    up = {"ctrl": False, "alt": False, "shift": False, "meta": False}
    await client.event(client.page, "keyboard_event", {"key": "Escape", **up})
    await client.until(lambda: sum("stopped by you" in words for words in client.words()) == 2)
    await client.until(lambda: client.find(ft.IconButton, tooltip="Send"))


async def test_models_read_the_conversation_unless_they_are_told_not_to(show, engine: FakeEngine):
    client = await talking(show, engine)
    for words in ("One?", "Two?"):
        await ask(client, words)
        await client.until(lambda: not client.find(ft.IconButton, tooltip="Stop (Escape)"))
    assert [len(each) for each in engine.hosts.host.read] == [1, 1, 3, 3]
    [switch] = client.find(ft.Switch, label="Remember the conversation")
    await client.event(switch, "change")
    await ask(client, "Three?")
    await client.until(lambda: len(engine.hosts.host.read) == 6)
    assert [len(each) for each in engine.hosts.host.read[4:]] == [1, 1]


async def test_changed_settings_are_used_and_all_can_be_seen(show, engine: FakeEngine):
    client = await talking(show, engine)
    assert not client.find(ft.TextField, label="Top-k")
    await client.press("Show all settings")
    await client.type("Top-k", "7")
    await client.type("Temperature", "0.5")
    await client.type("Repetition penalty", "3")
    await client.type("Stop words", "END\n###")
    await client.type("System text", "Be kind.")
    assert client.says("At most 2.")
    await client.press("And pears?")
    await client.until(lambda: len(engine.hosts.host.asked) == 2)
    used = engine.hosts.host.answering[0]
    assert (used.temperature, used.top_k, used.repetition_penalty, used.stop) == (0.5, 7, 1.0, ("END", "###"))
    assert engine.hosts.host.read[0][0].content == "Be kind."


async def test_a_rating_and_a_better_answer_become_rows(show, engine: FakeEngine):
    client = await talking(show, engine)
    await ask(client, "Plums?")
    await answered(client)
    await client.press("Good answer of Support v1.0.0")
    await client.press("Write a better answer than Base starter")
    await client.type("A better answer", "We have ten plums.")
    await client.press("Keep it")
    await client.until(lambda: client.says("We have ten plums."))
    [found] = await kept(engine)
    ratings = {each.speaker.id: (each.good, each.better) for each in found.turns[0].replies}
    assert ratings == {TUNED: (True, ""), "base": (False, "We have ten plums.")}
    await client.press("History")
    await client.until(lambda: client.says("1 question, just now, 2 rated"))
    await client.press("Make the dataset")
    await client.until(lambda: client.page.route.startswith("/data/"))
    [made] = engine.library.datasets.value
    assert (made.rows, made.schema) == (2, "chat")


async def test_what_cannot_be_made_rows_of_is_explained(show, engine: FakeEngine):
    client = await talking(show, engine)
    await ask(client, "Plums?")
    await answered(client)
    await client.press("History")
    await client.until(lambda: client.says("Make rows of these"))
    await client.press("Make the dataset")
    await client.until(lambda: client.says("No answer was rated good."))


async def test_differences_are_marked_against_the_chosen_one(show, engine: FakeEngine):
    client = await talking(show, engine)
    await ask(client, "Plums?")
    await answered(client)
    [menu] = [each for each in client.find(ft.DropdownM2) if each.label == "Differences"]
    await client.event(menu, "change", "base")
    await client.until(lambda: any(text.spans for text in client.find(ft.Text)))
    [marked] = [text for text in client.find(ft.Text) if text.spans]
    assert "".join(span.text or "" for span in marked.spans or []) == "We have plums."
    assert any(span.style and span.style.bgcolor for span in marked.spans or [])


async def test_a_question_is_edited_and_answered_again(show, engine: FakeEngine):
    client = await talking(show, engine)
    await ask(client, "Plums?")
    await answered(client)
    await client.press("Edit the question")
    await client.type("The question", "Pears?")
    await client.press("Ask this")
    await client.until(lambda: len(engine.hosts.host.asked) == 4)
    await answered(client)
    await client.press("Answer again")
    await client.until(lambda: len(engine.hosts.host.asked) == 6)
    [found] = await kept(engine)
    assert [turn.asked for turn in found.turns] == ["Pears?"]


async def test_further_versions_of_the_same_base_answer_beside_and_four_are_the_most(show, engine: FakeEngine):
    others = [version(f"run-{number}", f"v1.{number}.0") for number in range(2, 5)]
    elsewhere = msgspec.structs.replace(version("run-9", "v9.0.0"), model_path="/models/other")
    engine.outcomes.versions.set((version(), *others, elsewhere))
    client = await show("/playground")
    await client.until(lambda: client.says("Ask something."))
    assert not client.says("Support v9.0.0")
    for number in (2, 3):
        await client.press(f"Support v1.{number}.0")
    assert not client.find(ft.Semantics, label="Support v1.4.0")  # the fourth version cannot be pressed
    await ask(client, "Plums?", "Ask all models")
    await answered(client, 4)
    assert {adapter for _, adapter, _ in engine.hosts.host.asked} == {None, TUNED, "run-2-v1.2.0", "run-3-v1.3.0"}


async def test_history_is_searched_opened_renamed_and_deleted_with_undo(show, engine: FakeEngine):
    client = await talking(show, engine)
    for words in ("About plums?", "About pears?"):
        await ask(client, words)
        await answered(client)
        await client.press("New conversation")
        await client.until(lambda: client.says("Ask something."))
    await client.press("History")
    await client.until(lambda: client.says("About plums?") and client.says("About pears?"))
    await client.type("Search conversations", "pear")
    await client.until(lambda: not client.says("About plums?"))
    await client.press("Open About pears?")
    await answered(client)
    await client.until(lambda: client.find(ft.IconButton, tooltip="Rename About pears?"))
    await client.press("Rename About pears?")
    await client.type("Title", "Fruit")
    await client.press("Rename")
    await client.until(lambda: client.find(ft.Semantics, label="Open Fruit"))
    await client.press("Export Fruit as Markdown")
    await client.until(lambda: any("Written:" in words for words in client.toasts()))
    [file] = (engine.home.exports / "conversations").iterdir()
    assert "> We have plums." in file.read_text()
    await client.press("Delete Fruit")
    await client.until(lambda: not client.find(ft.Semantics, label="Open Fruit"))
    assert [each.title for each in await kept(engine)] == ["About plums?"]
    [bar] = [each for each in client.page._dialogs.controls if isinstance(each, ft.SnackBar) and each.action]
    await client.event(bar.action, "click")
    await client.until(lambda: client.find(ft.Semantics, label="Open Fruit"))


async def test_two_windows_in_one_conversation_see_the_same_words_and_lose_none(show, engine: FakeEngine):
    one = await talking(show, engine)
    await ask(one, "Plums?")
    await answered(one)
    other = await show("/playground")
    await other.press("History")
    await other.until(lambda: other.says("1 question, just now"))
    await other.press("Open Plums?")
    await answered(other)
    engine.hosts.host.go_on = anyio.Event()
    await ask(one, "Pears?")
    await other.until(lambda: other.says("Pears?") and other.find(ft.IconButton, tooltip="Stop (Escape)"))
    engine.hosts.host.go_on.set()
    await answered(other, 4)
    await asyncio.gather(
        one.event(one.find(ft.IconButton, tooltip="Good answer of Support v1.0.0")[0], "click"),
        other.event(other.find(ft.IconButton, tooltip="Bad answer of Base starter")[1], "click"),
    )
    [found] = await kept(engine)
    assert sorted(str(each.good) for turn in found.turns for each in turn.replies) == ["False", "None", "None", "True"]


async def test_a_model_that_dies_in_the_middle_is_said_and_one_press_goes_on(show, engine: FakeEngine):
    client = await talking(show, engine)
    engine.hosts.host.dies_after = 2
    await ask(client, "Plums?")
    await client.until(lambda: client.says("An answer was not finished."))
    assert client.says("The model has left memory.")
    engine.hosts.host = type(engine.hosts.host)()
    await client.press("Load the model and go on")
    await answered(client)
    assert not client.says("An answer was not finished.")


async def test_a_model_that_cannot_be_loaded_is_explained_and_tried_again(show, engine: FakeEngine):
    engine.outcomes.versions.set((version(),))
    engine.hosts.problem = RunError("No memory is left.", "It needs 3 GB.", "Close programs.")
    client = await show("/playground")
    await client.until(lambda: client.says("No memory is left.") and client.says("It needs 3 GB."))
    engine.hosts.problem = None
    await client.press("Try again")
    await client.until(lambda: not client.says("No memory is left."))


@pytest.mark.parametrize(
    "answer",
    ["<script>alert(1)</script> **bold** [link](javascript:x)", "مرحبا بالعالم 123", "x" * 3000, "\u0000\u202e\n\n\n"],
    ids=["markup", "right to left", "one very long word", "control characters"],
)
async def test_whatever_a_model_says_is_shown_as_text(show, engine: FakeEngine, answer: str):
    client = await talking(show, engine)
    engine.hosts.host.says = answer
    await ask(client, answer)
    await answered(client)
    assert sum(text.value == answer for text in client.find(ft.Text)) >= 2
    assert not client.find(ft.Markdown)


async def test_a_conversation_stays_while_pages_change(show, engine: FakeEngine):
    client = await talking(show, engine)
    await client.press("And pears?")
    await client.until(lambda: client.says("I am a base."))
    await client.go("/runs")
    await client.go("/playground")
    await client.until(lambda: client.says("We have plums."))
    await client.go(f"/playground/{TUNED}")
    await client.until(lambda: client.says("We have plums."))


async def test_what_lies_over_an_answer_hears_keys_before_it_and_leaves_them_to_it_again(show, engine: FakeEngine):
    heard: list[str] = []
    session = Session()

    def listener(name: str, takes: bool):
        def hear(stroke: str) -> bool:
            heard.append(name)
            return takes

        return hear

    below, above = listener("below", True), listener("above", True)
    session.listen(below)
    session.listen(above)
    assert session.heard("Escape") and heard == ["above"]
    session.leave(below)  # the answer ends while the palette is open
    assert session.heard("Escape") and heard == ["above", "above"]
    session.leave(above)
    assert not session.heard("Escape")


async def test_escape_closes_the_palette_first_and_then_stops_the_answer(show, engine: FakeEngine, monkeypatch):
    client = await talking(show, engine)
    engine.hosts.host.go_on = anyio.Event()
    stopped: list[None] = []
    monkeypatch.setattr(Talk, "stop", lambda talk: stopped.append(None))
    task = asyncio.create_task(ask(client, "Plums?"))
    await client.until(lambda: client.find(ft.IconButton, tooltip="Stop (Escape)"))
    await press_keys(client, "Alt+Shift+K")
    await client.until(lambda: client.find(ft.AlertDialog, open=True))
    (palette,) = client.find(ft.AlertDialog, open=True)
    await press_keys(client, "Escape")
    await client.until(lambda: not client.find(ft.AlertDialog, open=True))
    assert not stopped
    await client.event(palette, "dismiss")  # its closing is over
    await press_keys(client, "Escape")
    assert stopped
    engine.hosts.host.go_on.set()
    await task
