"""Judges and checks of a person's own, from the evaluation's page: chosen, at work, and when they go wrong."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import flet as ft
import msgspec
import pytest

from engine.core.errors import RunError
from engine.results.judging import CRITERIA, Chosen
from engine.results.metrics.checks import CheckFailed, looked_over
from engine.results.metrics.measures import Answered, marked
from engine.runs.views import RunView
from engine.serving.nouns import Conversation, Reply, Speaker, Turn
from engine.spec.answers import BASE, Answering
from engine.spec.records import RunState
from engine.spec.suite import Check
from tests.results.judge_endpoint import Serve, completion, endpoints, fair
from tests.ui.client import Client
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import a_version, dataset, evaluate_job, evaluated, furnish
from tests.ui.test_evaluation import opened

pytestmark = pytest.mark.anyio
KEY = "sk-a-secret-of-this-test"


@pytest.fixture
def home(engine: FakeEngine) -> FakeEngine:
    return furnish(engine)


@pytest.fixture
def endpoint() -> Iterator[Serve]:
    with endpoints() as serve:
        yield serve


async def choose_endpoint(client: Client, address: str, name: str = "judge-1") -> None:
    await client.press("An endpoint")
    await client.until(lambda: client.find(ft.TextField, label="Address"))
    await client.type("Address", address)
    await client.type("Model at this address", name)
    await client.type("Key, if it wants one", KEY)


def everything_kept(home: FakeEngine) -> str:
    files = [path for path in home.home.path.rglob("*") if path.is_file()]
    return "\n".join(path.read_bytes().decode("latin-1") for path in files)


async def liking(home: FakeEngine, version, answers) -> None:
    """A conversation in which base and version replied to each question, rated as (question, base, tuned, up)."""
    base, tuned = Speaker(id=BASE, title="Base"), Speaker(id=version.id, title=version.title)
    turns = tuple(
        Turn(
            id=f"t{place}",
            asked=asked,
            made=1.0,
            replies=(Reply(speaker=base, text=before), Reply(speaker=tuned, text=after, good=up)),
        )
        for place, (asked, before, after, up) in enumerate(answers)
    )
    kept = Conversation(
        id="talk-1", title="t", model="starter", model_path="m", speakers=(base, tuned), turns=turns,
        answering=Answering(remember=False),
    )  # fmt: skip
    await home.playground.keep(kept)


async def test_an_endpoint_judges_and_is_compared_with_the_persons_thumbs(
    show,
    home: FakeEngine,
    endpoint,
    caplog,
):
    caplog.set_level(logging.INFO)
    version = a_version(home, "run-1")
    found = evaluated(home, version, 0.7)
    right = {each.prompt: each.reference for each in found.examples}
    server = endpoint(lambda asked, _: completion(fair({**asked, "reference": right[asked["question"]]})))
    await liking(home, version, [(e.prompt, e.base, e.tuned, e.tuned == e.reference) for e in found.examples[:25]])
    client = await opened(show, version)
    await client.until(lambda: client.says("Have it judged"))
    await client.press("Choose a judge")
    await choose_endpoint(client, server.url)
    assert all(field.password for field in client.find(ft.TextField, label="Key, if it wants one"))
    await client.press("Judge")
    await client.until(lambda: client.says("It agreed with your own thumbs on 100 % of 25 answers"), 20)
    await client.until(lambda: client.says("kappa 1.00") and client.says("Have it judged again"))
    judged = home.outcomes.evaluation(version.id).judged
    assert judged.examples == len(found.examples) and server.keys == {f"Bearer {KEY}"}
    assert KEY not in everything_kept(home) and KEY not in caplog.text


async def test_a_judge_with_nothing_but_nonsense_leaves_the_part_unmeasured(show, home: FakeEngine, endpoint):
    version = a_version(home, "run-1")
    evaluated(home, version, 0.7)
    server = endpoint(lambda *_: completion("I like the second one."))
    client = await opened(show, version)
    await client.until(lambda: client.says("Have it judged"))
    await client.press("Choose a judge")
    await choose_endpoint(client, server.url)
    await client.press("Judge")
    await client.until(lambda: client.says("The judge gives no usable answers."), 20)
    assert client.says("it did not say its ratings as the JSON that was asked for")
    assert client.says("Judge: not measured")


@pytest.mark.parametrize(
    ("address", "name", "words"),
    [
        ("http://127.0.0.1:9/v1", "m", "The judge does not answer."),
        ("localhost", "m", "is no address of an endpoint"),
        ("http://127.0.0.1:9/v1", " ", "No judge is named."),
    ],
    ids=["nobody there", "no address", "no name"],
)
async def test_a_judge_that_cannot_be_is_a_card(show, home: FakeEngine, address, name, words):
    version = a_version(home, "run-1")
    evaluated(home, version, 0.7)
    client = await opened(show, version)
    await client.until(lambda: client.says("Have it judged"))
    await client.press("Choose a judge")
    await choose_endpoint(client, address, name)
    await client.press("Judge")
    await client.until(lambda: client.says(words), 10)
    assert client.find(ft.OutlinedButton, content="Judge", disabled=False)
    assert home.outcomes.evaluation(version.id).judged is None


async def test_a_local_model_judges_with_the_chosen_criteria(show, home: FakeEngine):
    version = a_version(home, "run-1")
    evaluated(home, version, 0.7)
    both = dict.fromkeys(CRITERIA.keys() - {"tone"}, 4)
    home.hosts.host.says = json.dumps({"first": both, "second": both})
    client = await opened(show, version)
    await client.until(lambda: client.says("Have it judged"))
    await client.press("Choose a judge")
    (menu,) = [each for each in client.find(ft.DropdownM2) if each.label == "Judge"]
    await client.event(menu, "change", (menu.options or [])[-1].key)  # the version itself
    await client.press("tone")
    await client.press("Judge")
    await client.until(lambda: client.says("no answer of this version has a thumb"), 20)
    judged = home.outcomes.evaluation(version.id).judged
    assert judged.judge == version.id and {each.criterion for each in judged.criteria} == {"overall", *both}
    assert {adapter for _, adapter, _ in home.hosts.host.asked} == {version.id}


async def test_a_judge_chosen_at_the_start_judges_when_the_answers_are_there(show, home: FakeEngine, endpoint):
    version = a_version(home, "run-1", data=dataset(home))
    server = endpoint(lambda asked, _: completion(fair(asked)))
    asked = []

    async def evaluate(words, wish):
        asked.append(wish)
        return home.runs.add(home.planning.spec(f"evaluate {version.title}", evaluate_job([version])))

    home.outcomes.evaluate = evaluate
    client = await opened(show, version)
    await client.until(lambda: client.find(ft.FilledButton, content="Evaluate"))
    await client.press("More options")
    (switch,) = client.find(ft.Switch)
    await client.event(switch, "change", True)
    await choose_endpoint(client, server.url)
    await client.type("Name of the check", "short")
    await client.press("Add the check")
    await client.until(lambda: client.says("short: 2 lines, 5 s for an answer"))
    await client.press("Evaluate")
    await client.until(lambda: asked)
    assert [check.name for check in asked[0].checks] == ["short"] and looked_over(asked[0].checks[0])
    run = home.runs.list.value[0]
    made = evaluated(home, version, 0.7)
    home.outcomes.folder.keep_evaluation(version, msgspec.structs.replace(made, run=run.id))
    ended: RunView = msgspec.structs.replace(run, state=RunState.COMPLETED)
    await home.judging.after_run(ended)
    await client.until(lambda: (home.outcomes.evaluation(version.id).judged or made.judged) is not None, 20)
    assert KEY not in everything_kept(home)
    await home.judging.after_run(ended)  # it is asked once
    assert not home.judging.progress.value


async def test_a_check_that_is_no_check_is_not_taken(show, home: FakeEngine):
    version = a_version(home, "run-1")
    found = evaluated(home, version, 0.8)
    old = Check(name="polite", source="def check(p, a, r):\n    return 'please' in a\n")
    suite = msgspec.structs.replace(found.suite, checks=(old,))
    home.outcomes.folder.keep_evaluation(version, msgspec.structs.replace(found, suite=suite))
    client = await opened(show, version)
    await client.until(lambda: client.find(ft.FilledButton, content="Evaluate"))
    await client.press("More options")
    await client.type("Name of the check", "mine")
    await client.type("Python", "def check(:")
    await client.press("Add the check")
    await client.until(lambda: client.says("The check “mine” is not Python."))
    await client.press("Run polite again")
    await client.until(lambda: client.says("polite: 2 lines"))
    await client.press("Do not run polite")
    await client.until(lambda: not client.says("polite: 2 lines"))


BAD = {
    "loops": ("    while True: pass", "takes too long"),
    "crashes": ("    import os; os._exit(3)", "left without an answer"),
    "raises": ("    return 1 / 0", "ZeroDivisionError"),
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_check_that_goes_wrong_is_told_beside_what_could_be_measured(show, home: FakeEngine, kind):
    body, words = BAD[kind]
    version = a_version(home, "run-1")
    found = evaluated(home, version, 0.8)
    check = Check(name=kind, source=f"def check(prompt, answer, reference):\n{body}\n", seconds=0.3)
    suite = msgspec.structs.replace(found.suite, checks=(check,))
    _, problems = marked(suite, [Answered("q", "r", "a", "b", 1.0, 1.0)])
    home.outcomes.folder.keep_evaluation(version, msgspec.structs.replace(found, problems=tuple(problems)))
    client = await opened(show, version)
    await client.until(lambda: client.says(words))
    assert client.says(found.verdict)


@pytest.mark.parametrize("source", ["def other(p, a, r): return 1", "x = 1", "\0", "(" * 5000, ""])
def test_what_has_no_check_is_refused_before_anything_is_asked(source: str):
    with pytest.raises(CheckFailed):
        looked_over(Check(name="mine", source=source))


@pytest.mark.parametrize(
    "source",
    [
        "def check(p, a, r): return 1",
        "check = lambda p, a, r: 1",
        "from operator import eq as check",
        "def f(): 1\ncheck = f",
    ],
)
def test_whatever_makes_a_check_is_taken(source: str):
    assert looked_over(Check(name="mine", source=source)).source == source


async def test_a_local_judge_that_dies_is_a_card(show, home: FakeEngine):
    version = a_version(home, "run-1")
    evaluated(home, version, 0.7)
    home.hosts.problem = RunError("The model did not load.", "It is too large.", "Try again.")
    client = await opened(show, version)
    home.judging.begin(version.id, Chosen(model=version.id))
    await client.until(lambda: client.says("The model did not load."))
    await client.press("Put this away")
    await client.until(lambda: not client.says("The model did not load."))
