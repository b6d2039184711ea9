"""The evaluation of a version on its page: numbers with intervals, examples, starting one, and what follows from it."""

from __future__ import annotations

import flet as ft
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.results.metrics.labels import confusion
from engine.spec.folder import RunFolder
from engine.spec.records import RunState, StateRecord
from engine.spec.suite import Pattern
from studio.kit import pieces, rightward
from studio.pages.evaluation_examples import seen
from studio.pages.evaluation_start import evaluates, pattern_of
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import a_version, at_work, dataset, evaluate_job, evaluated, furnish

pytestmark = pytest.mark.anyio


@pytest.fixture
def home(engine: FakeEngine) -> FakeEngine:
    return furnish(engine)


async def opened(show, version, width: int = 1440) -> Client:
    client = await show(f"/versions/{version.id}", width)
    await client.until(lambda: client.says("Where it came from"))
    return client


def spoken(client: Client) -> list[str]:
    """The texts that are made of pieces, put together again."""
    return ["".join(span.text or "" for span in text.spans) for text in client.find(ft.Text) if text.spans]


@pytest.mark.parametrize("width", [1440, 900, 390])
async def test_both_models_stand_side_by_side_with_intervals_and_verdict(show, home: FakeEngine, width):
    version = a_version(home, "run-1")
    found = evaluated(home, version, 0.8)
    client = await opened(show, version, width)
    await client.until(lambda: client.says(found.verdict))
    match = found.result("exact_match")
    assert match is not None
    assert client.says(f"80 % ({100 * match.tuned.low:.0f} to {100 * match.tuned.high:.0f} %)")
    assert client.says("better, p < 0.001")
    assert found.score is not None
    assert client.says(found.score.words)
    assert client.says("Judge: not measured") and client.says("40 % of a full score")


async def test_examples_are_filtered_and_searched_most_different_first(show, home: FakeEngine):
    version = a_version(home, "run-1")
    found = evaluated(home, version, 0.5)
    client = await opened(show, version)
    await client.until(lambda: client.says("Examples"))
    wins = sum(each.kind == "win" for each in seen(found))
    await client.press(f"Tuned is better ({wins})")
    await client.until(lambda: client.says("tuned is better") and not client.says("alike"))
    await client.press("Tuned is worse (0)")
    await client.until(lambda: client.says("No example fits."))
    await client.press(f"All ({len(found.examples)})")
    wanted = found.examples[7]
    await client.type("With these words", wanted.reference)
    await client.until(lambda: wanted.reference in spoken(client))
    assert client.says(" ".join(wanted.prompt.split())) and wanted.base in spoken(client)


def test_the_examples_furthest_apart_come_first_and_wins_follow_the_measure(home: FakeEngine):
    found = evaluated(home, a_version(home, "run-1"), 0.5)
    every = seen(found)
    apart = [abs(each.tuned - each.base) for each in every]
    assert apart == sorted(apart, reverse=True)
    assert all((each.kind == "win") is (each.tuned > each.base) for each in every)
    lower = msgspec.structs.replace(found, suite=msgspec.structs.replace(found.suite, main="loss"))
    assert all((each.kind == "win") is (each.tuned < each.base) for each in seen(lower))


async def test_answers_are_text_never_markup_and_run_as_they_are_read(show, home: FakeEngine):
    version = a_version(home, "run-1")
    found = evaluated(home, version, 0.8)
    told = msgspec.structs.replace(
        found.examples[0],
        tuned="<img src=x onerror=y> **[red]**",
        base="مرحبا بكم",
        prompt="<b>?</b>",
        reference="x" * 9000,
    )
    home.outcomes.folder.keep_evaluation(version, msgspec.structs.replace(found, examples=(told,)))
    client = await opened(show, version, 390)
    await client.until(lambda: client.says("<b>?</b>"))
    assert {"<img src=x onerror=y> **[red]**", "مرحبا بكم", "x" * 9000} <= set(spoken(client))
    (arabic,) = [text for text in client.find(ft.Text) if text.spans and (text.spans[0].text or "").startswith("مرحبا")]
    assert arabic.rtl and not rightward("12 plums مرحبا")


@given(st.text(max_size=80), st.text(max_size=80))
def test_marking_differences_never_changes_a_text(words: str, other: str):
    cut = pieces(words, other)
    assert "".join(piece for piece, _ in cut) == words
    assert all(not new for _, new in pieces(words, words))


def test_only_the_words_that_are_new_are_marked():
    assert [piece for piece, new in pieces("We have ripe plums.", "We have plums.") if new] == ["ripe "]


async def test_an_evaluation_is_started_with_its_options_and_stopped(show, home: FakeEngine, monkeypatch):
    version = a_version(home, "run-1", data=dataset(home))
    asked = []

    async def evaluate(words, wish):
        asked.append((words, wish))
        return home.runs.add(home.planning.spec(f"evaluate {version.title}", evaluate_job([version])))

    monkeypatch.setattr(home.outcomes, "evaluate", evaluate)
    client = await opened(show, version)
    await client.until(lambda: client.says("Is it better?"))
    await client.press("More options")
    await client.type("At most", "25")
    await client.type("Words or expression", "plum")
    await client.press("Add")
    await client.until(lambda: client.says("Every answer has “plum”"))
    await client.press("Evaluate")
    await client.until(lambda: client.says("Waiting for its turn."))
    ((words, wish),) = asked
    assert words == version.id and wish.rows == 25 and wish.side == "held-out" and wish.dataset == ""
    assert wish.patterns == (Pattern(name="has “plum”", text="plum"),)
    run = home.runs.list.value[0].id
    at_work(home, run, 5, 10)
    await client.until(lambda: client.says("are answering. 50 %."))
    await client.press("Stop")
    assert home.runs.asked == [("stop", run)]
    RunFolder(home.home.runs / run).write_state(StateRecord(state=RunState.STOPPED, step=5, total_steps=10))
    home.runs.refresh(run)
    evaluated(home, version, 0.9)
    await client.until(lambda: client.says("Evaluate it again"))


async def test_an_evaluation_that_cannot_be_is_explained(show, home: FakeEngine):
    version = a_version(home, "run-1")  # its dataset is not here
    client = await opened(show, version)
    await client.until(lambda: client.find(ft.FilledButton, content="Evaluate"))
    await client.press("Evaluate")
    await client.until(lambda: client.says("dataset"), 5)
    await client.until(lambda: client.find(ft.FilledButton, content="Evaluate", disabled=False))


async def test_advice_opens_a_drafted_run_with_its_change(show, home: FakeEngine, monkeypatch):
    from engine.results.advice import Advice

    version = a_version(home, "run-1", data=dataset(home))
    train = Advice(about="training", what="It can learn more.", why="Loss still falls.", words="Train for 5 epochs.",
                   do="train", edits={"epochs": 5})  # fmt: skip
    ready = Advice(about="answers", what="It is good.", why="Better.", words="Export it.", do="export")

    async def advice(words):
        return train, ready

    monkeypatch.setattr(home.outcomes, "advice", advice)
    client = await opened(show, version)
    await client.until(lambda: client.says("It can learn more."))
    await client.press("See the exports")
    await client.until(lambda: client.says("Export it as"))
    await client.press("Evaluation")
    await client.until(lambda: client.says("It can learn more."))
    await client.press("Review this run")
    await client.until(lambda: client.page.route == "/new")
    await client.until(lambda: client.find(ft.FilledButton, content="Start training", disabled=False), 10)
    await client.press("Start training")
    await client.until(lambda: home.started)
    assert home.started[0].edits["epochs"] == 5 and home.started[0].edits["rank"] == 4


async def test_labels_are_shown_as_a_matrix(show, home: FakeEngine):
    version = a_version(home, "run-1")
    found = evaluated(home, version, 0.8)
    wanted = ["billing", "billing", "shipping", "shipping"]
    base = confusion(["billing"] * 4, wanted, ("billing", "shipping"))
    tuned = confusion(wanted, wanted, ("billing", "shipping"))
    home.outcomes.folder.keep_evaluation(version, msgspec.structs.replace(found, confusion=(base, tuned)))
    client = await opened(show, version)
    await client.until(lambda: client.says("Accuracy 100 %, macro F1 100 %"))
    await client.press("Base")
    await client.until(lambda: client.says("Accuracy 50 %"))
    assert client.find(ft.Semantics, label="Most often mistaken: shipping for billing, 2 times.")


def test_a_run_is_known_by_the_versions_it_evaluates(home: FakeEngine):
    view = home.runs.make("evaluate a v1.0.0, b v1.1.0", RunState.RUNNING)
    run = msgspec.structs.replace(home.runs.live(view.id).view.value, kind="evaluate")
    assert evaluates(run, "a v1.0.0") and evaluates(run, "b v1.1.0")
    assert not evaluates(run, "b v1.1") and not evaluates(run, "v1.0.0")
    assert not evaluates(msgspec.structs.replace(run, kind="train"), "a v1.0.0")


def test_patterns_are_named_by_what_they_ask():
    assert pattern_of("lacks", "sorry") == Pattern(name="lacks “sorry”", text="sorry", wanted=False)
    assert pattern_of("matches", "^A").regex
