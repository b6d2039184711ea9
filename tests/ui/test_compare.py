"""Versions and runs side by side: what the address names, what is best, how they differ, and a new run from one."""

from __future__ import annotations

import flet as ft
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.results.verdict import difference
from engine.spec import ring
from engine.spec.records import RunState
from studio.kit import named
from studio.pages.compare import ids_of
from studio.pages.compare_examples import fits
from tests.making import LORA, METHODS
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.fakes import write_steps
from tests.ui.results_home import a_version, dataset, evaluate_job, evaluated, furnish

pytestmark = pytest.mark.anyio


@pytest.fixture
def home(engine: FakeEngine) -> FakeEngine:
    return furnish(engine)


async def compared(show, versions, width: int = 1440) -> Client:
    client = await show(
        "/compare?ids=" + ",".join(each if isinstance(each, str) else each.id for each in versions), width
    )
    await client.until(lambda: not client.says("Comparing every answer…"), 10)
    return client


def best_marked(client: Client) -> list[str]:
    """The figures with a star beside them, in their order."""
    pairs = [each.controls for each in client.find(ft.Row) if len(each.controls) == 2]
    return [
        str(words.value)
        for star, words in pairs
        if isinstance(star, ft.Icon) and star.semantics_label == "best" and isinstance(words, ft.Text)
    ]


@pytest.mark.parametrize("width", [1440, 900, 390])
async def test_three_versions_stand_side_by_side(show, home: FakeEngine, width):
    versions = [
        a_version(home, f"run-{i}", method=method) for i, method in enumerate((LORA, METHODS["lora+"], LORA), 1)
    ]
    for seed, (version, right) in enumerate(zip(versions, (0.2, 0.9, 0.85), strict=True)):
        evaluated(home, version, right, seed)
    client = await compared(show, versions, width)
    await client.until(lambda: client.says("support v1.1.0 is better in token F1 than support v1.0.0"))
    assert client.says("No difference is shown against support v1.2.0.")
    assert best_marked(client)[0].startswith("90 % (") and "30 % (" not in " ".join(best_marked(client))
    found = await home.outcomes.compare([v.id for v in versions])
    assert client.says("Each against each") and client.says(f"{len(found.pairings)} differences were tested together")
    for each in found.pairings:
        assert client.says(difference(each.measure, each.paired))
    assert client.says("support v1.1.0 against support v1.0.0") and client.says("no difference shown")
    assert client.says("rate ratio") and client.says("16.0")
    assert client.says("Score of 100") and client.says("not known")
    assert client.says("cost is not known: nothing was kept of the machine")
    ties = sum(each.apart == 0 for each in (await home.outcomes.compare([v.id for v in versions])).examples)
    assert client.says(f"{ties} of 60 answered alike")


async def test_examples_are_filtered_by_who_alone_is_best(show, home: FakeEngine):
    versions = [a_version(home, "run-1"), a_version(home, "run-2")]
    evaluated(home, versions[0], 0.1)
    evaluated(home, versions[1], 0.9)
    found = await home.outcomes.compare([each.id for each in versions])
    assert sum(fits(each, "0") for each in found.examples) == found.wins[0]
    assert sum(fits(each, "1") for each in found.examples) == found.wins[1]
    client = await compared(show, versions)
    await client.until(lambda: client.says("Examples, most different first"))
    await client.press("support v1.1.0 best alone")
    await client.until(lambda: client.says(", best"))
    assert all("best" not in words for words in client.words() if words.startswith("0 %"))


async def test_curves_of_all_lie_over_each_other(show, home: FakeEngine):
    first, second = a_version(home, "run-1"), a_version(home, "run-2")
    for run in ("run-1", "run-2"):
        folder = home.runs.live(run).folder
        ring.create(folder.ring_file, 4096)
        write_steps(folder, 1, 40)
        home.runs._live.pop(run)
    client = await compared(show, [first, second])
    (drawn,) = [
        each for each in client.find(ft.Semantics) if (each.label or "").startswith("Training loss, at the end")
    ]
    assert drawn.label and "support v1.0.0 " in drawn.label and "support v1.1.0 " in drawn.label
    box = next(each for each in client.find(ft.Container) if each.content is drawn)
    await client.event(box, "size_change", {"w": 800.0, "h": 280.0})
    await client.until(lambda: any("<svg" in str(each.src) for each in client.find(ft.Image)))
    (picture,) = [str(each.src) for each in client.find(ft.Image) if "<svg" in str(each.src)]
    assert "#7C3AED" in picture and "#0284C7" in picture


async def test_what_was_not_asked_the_same_says_so_and_asks_them_together(show, home: FakeEngine, monkeypatch):
    versions = [a_version(home, "run-1"), a_version(home, "run-2")]
    asked = []

    async def evaluate_all(chosen):
        asked.append([each.id for each in chosen])
        return home.runs.add(home.planning.spec(f"evaluate {', '.join(e.title for e in chosen)}", evaluate_job(chosen)))

    monkeypatch.setattr(home.outcomes, "evaluate_all", evaluate_all)
    client = await compared(show, versions)
    await client.until(lambda: client.says("Which is better cannot be said"))
    await client.press("Ask all of them the same rows")
    await client.until(lambda: client.says("Waiting for its turn."))
    assert asked == [[each.id for each in versions]]
    evaluated(home, versions[0], 0.2)
    evaluated(home, versions[1], 0.9)
    await client.until(lambda: client.says("support v1.1.0 is better in token F1"))


async def test_a_new_run_begins_from_one_of_them(show, home: FakeEngine):
    data = dataset(home)
    versions = [a_version(home, "run-1", data=data), a_version(home, "run-2", data=data, method=METHODS["lora+"])]
    client = await compared(show, versions)
    await client.until(lambda: client.says("Go on"))
    await client.press("New run like support v1.1.0")
    await client.until(lambda: client.page.route == "/new", 5)
    await client.until(lambda: client.find(ft.FilledButton, content="Start training", disabled=False), 10)
    await client.press("Start training")
    await client.until(lambda: home.started)
    assert home.started[0].edits["rate_ratio"] == 16.0 and home.started[0].parent is None


async def test_without_an_address_versions_and_runs_are_chosen(show, home: FakeEngine):
    client = await show("/compare")
    await client.until(lambda: client.says("There is nothing to compare yet."))
    version = a_version(home, "run-1")
    folder = home.runs.make("another", RunState.STOPPED, steps=3)
    await client.until(lambda: client.says("run another"))
    await client.press("support v1.0.0")
    await client.press("run another")
    await client.press("Compare 2")
    await client.until(lambda: client.page.route == f"/compare?ids={version.id},{folder.id}")
    await client.until(lambda: client.says("they were not evaluated on the same rows"), 10)
    assert client.says("another became no version.")


async def test_a_name_that_means_nothing_is_explained(show, home: FakeEngine):
    a_version(home, "run-1")
    client = await compared(show, ["gone", "also-gone"])
    await client.until(lambda: client.says("There is no version “gone”."))
    await client.press("Choose others")
    await client.until(lambda: client.page.route == "/compare")


@given(st.text(max_size=200))
def test_a_name_on_a_chip_is_short_and_keeps_its_end(words: str):
    assert len(named(words)) <= 40 and named(words).endswith(words[-14:]) and named(words)[:20] == words[:20]


@given(st.lists(st.from_regex(r"[a-z0-9.-]{1,12}", fullmatch=True), max_size=6))
def test_an_address_names_each_once_in_order(ids: list[str]):
    assert ids_of("/compare?ids=" + ",".join(ids)) == tuple(dict.fromkeys(ids))
    assert ids_of("/compare") == ()


async def test_of_thousands_of_runs_the_newest_are_offered_and_the_others_found(show, engine: FakeEngine):
    engine.runs.make("First", RunState.COMPLETED, steps=20)
    one = engine.runs.list.value[0]
    engine.runs.list.set(
        tuple(msgspec.structs.replace(one, id=f"x{n}", name=f"Run {n:04}", created=-n) for n in range(10_000))
    )
    client = await show("/compare")
    offered = client.find(ft.Semantics, button=True)
    assert sum(str(each.label).startswith("run Run") for each in offered) <= 30
    assert client.says("The newest 30 of 10,000 are shown")
    await client.type("Search versions and runs", "98 77")
    await client.until(lambda: client.says("run Run 9877") or client.find(ft.Semantics, label="run Run 9877"))


async def test_a_run_without_a_step_is_not_offered(show, engine: FakeEngine):
    for name, steps in (("Good", 20), ("Better", 20), ("Empty", 0)):
        engine.runs.make(name, RunState.COMPLETED, steps=steps)
    client = await show("/compare")
    assert client.says("run Good") and not client.says("run Empty")
