"""A judge behind an endpoint: made from the documented contract of chat completions, on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.abc
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.core.errors import DataError, RunError
from engine.results.agreement import ENOUGH, Rated, agreement, in_words
from engine.results.evaluation import Evaluation
from engine.results.judged import agreed, judge_version, with_judge
from engine.results.judges import endpoint_judge
from engine.results.judging import CRITERIA, Chosen, Judgement, NotAnswered, checked, judge_all
from engine.results.statistics import holm
from tests.results.judge_endpoint import Endpoint, Reply, Serve, completion, endpoints, fair, stars
from tests.results.made import evaluation_of
from tests.ui.fake_engine import FakeEngine
from tests.ui.results_home import a_version, evaluated, furnish

KEY = "sk-secret-of-the-test"
JUDGE = Chosen(model="judge-1")


@pytest.fixture
def endpoint() -> Iterator[Serve]:
    with endpoints() as serve:
        yield serve


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluation_of(tmp_path_factory.mktemp("answers"), "v", 0.7, rows=20)


async def judgements(evaluation: Evaluation, server: Endpoint, place: Path, **more: float) -> list[Judgement]:
    async with endpoint_judge(server.url, "judge-1", KEY, **more) as judge:
        found = await judge_all(evaluation.examples, judge, JUDGE, place / "judgements.jsonl")
    return [each for each in found if each]


async def test_every_pair_is_judged_in_both_orders_and_better_answers_get_more_stars(
    evaluation: Evaluation, endpoint, tmp_path: Path
) -> None:
    server = endpoint(lambda asked, _: completion(fair(asked)))
    found = await judgements(evaluation, server, tmp_path)
    assert len(found) == 20 and len(server.requests) == 40
    assert server.keys == {f"Bearer {KEY}"} and {each["model"] for each in server.requests} == {"judge-1"}
    shown = Counter(
        frozenset((json.loads(each["messages"][1]["content"])[side], side) for side in ("first", "second"))
        for each in server.requests
    )
    assert set(shown.values()) <= {1, 2}
    result = with_judge(evaluation, JUDGE, found)
    assert result.judged and result.judged.flipped == 0 and result.judged.not_judged == 0
    overall = result.judged.criteria[0]
    assert overall.tuned == pytest.approx(2 + 3 * 0.7) and overall.base == 2
    assert overall.difference.test == "Wilcoxon signed-rank" and overall.difference.shown
    assert result.score and evaluation.score and "Not measured" not in result.score.words
    judge_part = next(part for part in result.score.parts if part.name == "judge")
    assert judge_part.value == pytest.approx(100 * (overall.tuned - 1) / 4)
    assert KEY not in (tmp_path / "judgements.jsonl").read_text()


async def test_a_judge_that_likes_what_stands_first_shows_no_difference(
    evaluation: Evaluation, endpoint, tmp_path: Path
) -> None:
    server = endpoint(lambda *_: completion(stars(5, 1)))
    result = with_judge(evaluation, JUDGE, await judgements(evaluation, server, tmp_path))
    assert result.judged and result.judged.flipped == 1
    assert result.judged.criteria[0].difference.difference == 0
    assert not any(each.difference.shown for each in result.judged.criteria)


NONSENSE: dict[str, Callable[[], Reply]] = {
    "no JSON": lambda: completion("I like the second one."),
    "half a JSON": lambda: completion('{"first": {"relevance": 5'),
    "six stars": lambda: completion(stars(6, 1)),
    "half stars": lambda: completion(stars(3, 4).replace("3", "3.5")),
    "a criterion missing": lambda: completion(stars(3, 4).replace('"tone": 3', '"mood": 3')),
    "empty": lambda: completion(""),
    "HTML": lambda: (200, {"content-type": "text/html"}, b"<html>gateway</html>"),
    "no choices": lambda: (200, {}, b'{"choices": []}'),
    "too busy": lambda: (429, {"retry-after": "0"}, b"{}"),
    "broken": lambda: (503, {}, b""),
}


@pytest.mark.parametrize("kind", NONSENSE)
async def test_nonsense_is_asked_again_and_then_counted_as_not_judged(
    evaluation: Evaluation, endpoint, tmp_path: Path, kind: str
) -> None:
    stubborn = evaluation.examples[0].reference

    def answer(asked: dict[str, str], time: int) -> Reply:
        if asked["reference"] == stubborn:
            return NONSENSE[kind]()
        return NONSENSE[kind]() if time == 1 else completion(f"Here you are:\n{fair(asked)}\nGood luck!")

    server = endpoint(answer)
    found = await judgements(evaluation, server, tmp_path)
    assert [each.row for each in found] == [each.row for each in evaluation.examples[1:]]
    alike = [each.base == each.tuned for each in evaluation.examples[1:]]  # both orders are one question
    assert len(server.requests) == 3 + sum(3 if same else 4 for same in alike)
    result = with_judge(evaluation, JUDGE, found)
    assert result.judged and (result.judged.examples, result.judged.not_judged) == (19, 1)


async def test_a_judge_that_times_out_is_not_waited_for(evaluation: Evaluation, endpoint, tmp_path: Path) -> None:
    ended = threading.Event()

    def answer(asked: dict[str, str], _: int) -> Reply:
        if asked["reference"] == evaluation.examples[3].reference:
            ended.wait(5)
        return completion(fair(asked))

    found = await judgements(evaluation, endpoint(answer), tmp_path, patience=0.3)
    ended.set()
    assert 3 not in [each.row for each in found] and len(found) == 19


async def test_a_judge_that_hangs_is_given_up_after_waiting_once(
    evaluation: Evaluation, endpoint, tmp_path: Path
) -> None:
    ended = threading.Event()

    def hanging(_asked: dict[str, str], _time: int) -> Reply:
        ended.wait(20)
        return completion("")

    begun = time.monotonic()
    with pytest.raises(RunError) as caught:
        await judgements(evaluation, endpoint(hanging), tmp_path, patience=1.0)
    assert time.monotonic() - begun < 5  # all 20 examples, each tried three times, would take 15 times as long
    ended.set()
    assert "it did not answer within 1 s" in caught.value.card.why


async def test_a_judge_that_sends_a_letter_at_a_time_is_not_waited_for(evaluation: Evaluation, tmp_path: Path) -> None:
    async def trickle(stream: anyio.abc.SocketStream) -> None:
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        with contextlib.suppress(anyio.BrokenResourceError):
            while True:
                await stream.send(b" ")
                await anyio.sleep(0.1)

    async with anyio.create_task_group() as group:
        server = await anyio.create_tcp_listener(local_host="127.0.0.1")
        group.start_soon(server.serve, trickle)
        url = f"http://127.0.0.1:{server.extra(anyio.abc.SocketAttribute.local_port)}/v1"
        with anyio.fail_after(10):
            async with endpoint_judge(url, "m", patience=0.5) as judge:
                with pytest.raises(RunError, match="no usable answers"):
                    await judge_all(evaluation.examples, judge, JUDGE, tmp_path / "kept.jsonl")
        group.cancel_scope.cancel()


USELESS = {
    "no JSON": "it did not say its ratings as the JSON that was asked for",
    "HTML": "what it sent is no chat completion, but text/html",
    "no choices": "what it sent is no chat completion, but something else",
    "broken": "it answered with status 503",
}


@pytest.mark.parametrize("kind", USELESS)
async def test_a_judge_that_is_of_no_use_is_given_up_with_the_reason(
    evaluation: Evaluation, endpoint, tmp_path: Path, kind: str
) -> None:
    server = endpoint(lambda *_: NONSENSE[kind]())
    with pytest.raises(RunError) as caught:
        await judgements(evaluation, server, tmp_path)
    assert USELESS[kind] in caught.value.card.why and len(server.requests) < 20


async def test_a_few_examples_that_nobody_could_judge_are_a_card_and_change_nothing(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path)
    version = a_version(furnish(engine), "run-1")
    evaluation = evaluated(engine, version, 0.7)
    few = msgspec.structs.replace(evaluation, examples=evaluation.examples[:2])

    async def lost(_messages) -> str:
        raise NotAnswered("it answered with status 500")

    with pytest.raises(RunError) as caught:
        await judge_version(engine.outcomes.folder, version, few, lost, JUDGE)
    assert "status 500" in caught.value.card.why
    assert engine.outcomes.evaluation(version.id) == evaluation


async def test_why_some_examples_are_not_judged_is_kept(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path)
    version = a_version(furnish(engine), "run-1")
    evaluation = evaluated(engine, version, 0.7)
    stubborn = evaluation.examples[3].prompt

    async def judge(messages) -> str:
        asked = json.loads(messages[1].content)
        if asked["question"] == stubborn:
            raise NotAnswered("it answered with status 500")
        return fair(asked)

    result = await judge_version(engine.outcomes.folder, version, evaluation, judge, JUDGE)
    assert result.judged and (result.judged.not_judged, result.judged.why) == (1, "it answered with status 500")


@pytest.mark.parametrize("status", [401, 403, 404, 400])
async def test_what_will_not_change_ends_it_with_a_card_without_the_key(
    evaluation: Evaluation, endpoint, tmp_path: Path, status: int
) -> None:
    server = endpoint(lambda *_: (status, {}, b"{}"))
    with pytest.raises(RunError) as caught:
        await judgements(evaluation, server, tmp_path)
    card = caught.value.card
    assert card.actions and KEY not in f"{card}" and len(server.requests) < 10


async def test_nobody_at_the_address_is_a_card(evaluation: Evaluation, tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:9/v1", "not-an-address"):
        async with endpoint_judge(url, "m") as judge:
            with pytest.raises(RunError, match="does not answer"):
                await judge_all(evaluation.examples, judge, JUDGE, tmp_path / "kept.jsonl")


async def test_what_was_judged_is_kept_and_only_the_rest_is_asked(evaluation: Evaluation, tmp_path: Path) -> None:
    asked = 0

    async def leaving(messages) -> str:
        nonlocal asked
        asked += 1
        if asked > 20:
            raise RunError("It left.", "Why.", "Do.")
        return fair(json.loads(messages[1].content))

    async def staying(messages) -> str:
        nonlocal asked
        asked += 1
        return fair(json.loads(messages[1].content))

    kept = tmp_path / "kept.jsonl"
    with pytest.raises(RunError, match="It left"):
        await judge_all(evaluation.examples, leaving, JUDGE, kept)
    before, asked = len(kept.read_text().splitlines()), 0
    told: list[tuple[int, int]] = []
    found = await judge_all(evaluation.examples, staying, JUDGE, kept, lambda done, total: told.append((done, total)))
    assert before > 5 and asked == 2 * (20 - before) and len(found) == 20 and told[-1] == (20, 20)
    await judge_all(evaluation.examples, staying, Chosen(model="another"), kept)
    assert asked == 2 * (20 - before) + 40


async def test_a_judge_that_never_answers_leaves_the_score_without_its_part(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    async def silent(_messages) -> str:
        raise NotAnswered

    with pytest.raises(RunError, match="no usable answers"):
        await judge_all(evaluation.examples, silent, JUDGE, tmp_path / "kept.jsonl")
    result = with_judge(evaluation, JUDGE, (None,) * 20)
    assert result.judged and (result.judged.examples, result.judged.not_judged) == (0, 20)
    assert result.score and evaluation.score and result.score.value == evaluation.score.value
    assert "Not measured: judge (40 % of a full score), which rated only 0 of 20 examples." in result.score.words


def rated(evaluation: Evaluation, count: int, *, tuned: int = 5, base: int = 2) -> list[Judgement | None]:
    """This many of the examples rated alike, the others not at all."""
    before, after = dict.fromkeys(CRITERIA, base), dict.fromkeys(CRITERIA, tuned)
    one = Judgement(key="k", row=0, base=(before, before), tuned=(after, after))
    return [one if i < count else None for i in range(len(evaluation.examples))]


def test_a_judge_that_fails_takes_back_what_an_earlier_one_said(evaluation: Evaluation) -> None:
    before = with_judge(evaluation, JUDGE, rated(evaluation, 20))
    assert before.score and "judge (20 of 20 examples)" in before.score.words
    after = with_judge(before, JUDGE, rated(evaluation, 0))
    assert after.score and evaluation.score and after.score.value == evaluation.score.value
    assert (after.verdict, after.results) == (evaluation.verdict, evaluation.results)


@pytest.mark.parametrize(("count", "counts"), [(1, False), (15, False), (16, True), (20, True)])
def test_a_judge_counts_where_it_rated_enough_of_the_examples(evaluation: Evaluation, count: int, counts: bool) -> None:
    found = with_judge(evaluation, JUDGE, rated(evaluation, count))
    assert found.judged and found.judged.counts is counts
    assert f"It rated {count} of 20 examples, and counts " in found.judged.standing
    assert found.score and (f"judge ({count} of 20 examples)" in found.score.words) is counts
    assert (f"which rated only {count} of 20 examples" in found.score.words) is not counts
    assert ("stars of the judge +3.00" in found.verdict) is counts
    assert (found.score.value == (evaluation.score and evaluation.score.value)) is not counts


def test_all_that_is_tested_shares_one_correction(evaluation: Evaluation) -> None:
    found = with_judge(evaluation, JUDGE, rated(evaluation, 20))
    assert found.judged
    family = [each.difference for each in found.results if each.measure.better != "neither"]
    family += [each.difference for each in found.judged.criteria]
    assert [each.corrected for each in family] == holm([each.p_value for each in family])
    by_name = {each.name: each.difference for each in found.results}
    assert [found.exact_match, found.token_f1, found.loss] == [by_name[n] for n in ("exact_match", "token_f1", "loss")]


def test_a_judge_and_the_answers_that_point_apart_are_mixed_and_a_judge_alone_can_decide(
    evaluation: Evaluation,
) -> None:
    assert evaluation.outcome == "better"
    assert with_judge(evaluation, JUDGE, rated(evaluation, 20, tuned=2, base=5)).outcome == "mixed"
    nothing = msgspec.structs.replace(
        evaluation,
        results=tuple(
            msgspec.structs.replace(each, difference=msgspec.structs.replace(each.difference, p_value=1.0))
            for each in evaluation.results
        ),
    )
    assert with_judge(nothing, JUDGE, rated(evaluation, 0)).outcome == "too few examples"
    assert with_judge(nothing, JUDGE, rated(evaluation, 20)).outcome == "better"


def liked(evaluation: Evaluation, *, turned: bool = False) -> list[Rated]:
    """Thumbs for what the fair judge likes, or for the other answers."""
    return [
        Rated(
            prompt=each.prompt,
            base=each.base,
            tuned=each.tuned,
            base_up=turned,
            tuned_up=(each.tuned == each.reference) is not turned,
        )
        for each in evaluation.examples
    ]


@pytest.mark.parametrize("turned", [False, True], ids=["alike", "opposed"])
async def test_the_judge_is_asked_about_rated_answers_and_compared_with_the_thumbs(
    tmp_path: Path, turned: bool
) -> None:
    engine = FakeEngine(tmp_path)
    version = a_version(furnish(engine), "run-1")
    evaluation = evaluated(engine, version, 0.7)
    right = {each.prompt: each.reference for each in evaluation.examples}

    async def judge(messages) -> str:
        asked = json.loads(messages[1].content)
        assert asked["reference"] or "no reference" in messages[0].content
        return fair({**asked, "reference": right[asked["question"]]})

    rated = liked(evaluation, turned=turned)
    result = await judge_version(engine.outcomes.folder, version, evaluation, judge, JUDGE, rated)
    assert result.judged and result.judged.examples == len(evaluation.examples)
    found = result.judged.agreement
    assert found and found.enough and found.answers == 2 * len(rated)
    good = sum(each.tuned == each.reference for each in evaluation.examples) / found.answers
    chance = 2 * good * (1 - good)  # opposed, what one calls good the other calls bad
    expected = (0.0, pytest.approx(-chance / (1 - chance))) if turned else (1.0, 1.0)
    assert (found.share, found.kappa) == expected
    assert engine.outcomes.evaluation(version.id) == result


def test_no_verdict_of_the_judge_or_the_user_is_no_pair() -> None:
    pair = Rated(prompt="q", base="a", tuned="b", tuned_up=True)
    five = dict.fromkeys(CRITERIA, 5)
    judgement = Judgement(key="k", row=0, base=(five, five), tuned=(five, five))
    assert agreed([pair], [None]) is None and agreed([], []) is None
    found = agreed([pair, pair], [judgement, None])
    assert found and (found.answers, found.share, found.kappa) == (1, 1.0, None)


VERDICTS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(VERDICTS)
def test_kappa_and_the_interval_are_those_of_the_books(verdicts: list[tuple[bool, bool]]) -> None:
    found = agreement(verdicts)
    assert found is not None
    same = sum(one == other for one, other in verdicts)
    exact = stats.binomtest(same, len(verdicts)).proportion_ci(method="wilson")
    assert (found.low, found.high) == (pytest.approx(exact.low, abs=1e-6), pytest.approx(exact.high, abs=1e-6))
    table = [[sum(pair == (a, b) for pair in verdicts) for b in (True, False)] for a in (True, False)]
    (a, b), (c, d) = table  # for two raters and yes and no alone: 2 (ad - bc) / ((a+b)(b+d) + (a+c)(c+d))
    below = (a + b) * (b + d) + (a + c) * (c + d)
    assert found.kappa == (pytest.approx(2 * (a * d - b * c) / below, abs=1e-9) if below else None)


def test_too_few_thumbs_say_nothing() -> None:
    assert "too few to say" in in_words(agreement([(True, True)] * (ENOUGH - 1)))
    assert "100 % of 20 answers" in in_words(agreement([(True, True)] * ENOUGH))
    assert "kappa -1.00" in in_words(agreement([(True, False), (False, True)] * ENOUGH))
    assert "no answer of this version" in in_words(None)


async def test_only_the_chosen_criteria_are_asked_for_and_shown(evaluation: Evaluation, tmp_path: Path) -> None:
    chosen = Chosen(model="judge-1", criteria=("tone", "relevance"))
    asked: list[str] = []

    async def judge(messages) -> str:
        asked.append(messages[0].content)
        both = dict.fromkeys(chosen.criteria, 4)
        return json.dumps({"first": both, "second": both})

    kept = tmp_path / "kept.jsonl"
    found = await judge_all(evaluation.examples, judge, chosen, kept)
    result = with_judge(evaluation, chosen, found)
    assert result.judged and [each.criterion for each in result.judged.criteria] == ["overall", "tone", "relevance"]
    assert all("tone" in words and "factuality" not in words for words in asked)
    before = len(asked)
    assert not any(await judge_all(evaluation.examples[:1], judge, JUDGE, kept))  # four criteria are missing
    assert len(asked) == before + 3


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (Chosen(model=" "), "No judge is named"),
        (Chosen(model="m", url="localhost:8000"), "no address"),
        (Chosen(model="m", criteria=("mood",)), "no criterion “mood”"),
        (Chosen(model="m", criteria=()), "No criterion is chosen"),
    ],
    ids=["no name", "no address", "unknown criterion", "no criterion"],
)
def test_a_choice_that_cannot_be_is_explained(chosen: Chosen, words: str) -> None:
    with pytest.raises(DataError, match=words):
        checked(chosen)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = pytest.mark.anyio
