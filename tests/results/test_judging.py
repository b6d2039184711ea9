"""A judge behind an endpoint: made from the documented contract of chat completions, on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import RunError
from engine.results.evaluation import Evaluation
from engine.results.judged import Thumb, agreement, with_judge
from engine.results.judges import endpoint_judge
from engine.results.judging import CRITERIA, Judgement, NotAnswered, judge_all
from tests.results.made import evaluation_of

KEY = "sk-secret-of-the-test"
Reply = tuple[int, dict[str, str], bytes]


def completion(words: str) -> Reply:
    """An answer as the contract has it."""
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "stop"}]}
    return 200, {"content-type": "application/json"}, json.dumps(body).encode()


def stars(first: int, second: int) -> str:
    return json.dumps({"first": dict.fromkeys(CRITERIA, first), "second": dict.fromkeys(CRITERIA, second)})


def fair(asked: dict[str, str]) -> str:
    """Five stars for the reference's own words, two for others."""
    right = [answer == asked["reference"] for answer in (asked["first"], asked["second"])]
    return stars(*(5 if each else 2 for each in right))


class Endpoint:
    """A server that answers each request as told, and remembers what it was sent."""

    def __init__(self, answer: Callable[[dict[str, str], int], Reply]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        times: Counter[str] = Counter()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                endpoint.requests.append(body)
                endpoint.keys.add(self.headers["authorization"])
                asked = json.loads(body["messages"][1]["content"])
                times[body["messages"][1]["content"]] += 1
                status, headers, data = answer(asked, times[body["messages"][1]["content"]])
                if self.path != "/v1/chat/completions":
                    status, headers, data = 404, {}, b"{}"
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):  # a client that no longer waits
                    self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def endpoint() -> Iterator[Callable[[Callable[[dict[str, str], int], Reply]], Endpoint]]:
    running: list[Endpoint] = []

    def make(answer: Callable[[dict[str, str], int], Reply]) -> Endpoint:
        running.append(Endpoint(answer))
        return running[-1]

    yield make
    for each in running:
        each.server.shutdown()
        each.server.server_close()


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluation_of(tmp_path_factory.mktemp("answers"), "v", 0.7, rows=20)


async def judgements(evaluation: Evaluation, server: Endpoint, place: Path, **more: float) -> tuple[Judgement, ...]:
    async with endpoint_judge(server.url, "judge-1", KEY, **more) as judge:
        return await judge_all(evaluation, judge, "judge-1", place / "judgements.jsonl")


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
    result = with_judge(evaluation, "judge-1", found)
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
    result = with_judge(evaluation, "j", await judgements(evaluation, server, tmp_path))
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
    result = with_judge(evaluation, "j", found)
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
                await judge_all(evaluation, judge, "m", tmp_path / "kept.jsonl")


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
        await judge_all(evaluation, leaving, "j", kept)
    before, asked = len(kept.read_text().splitlines()), 0
    told: list[tuple[int, int]] = []
    found = await judge_all(evaluation, staying, "j", kept, lambda done, total: told.append((done, total)))
    assert before > 5 and asked == 2 * (20 - before) and len(found) == 20 and told[-1] == (20, 20)
    await judge_all(evaluation, staying, "another judge", kept)
    assert asked == 2 * (20 - before) + 40


async def test_a_judge_that_never_answers_leaves_the_score_without_its_part(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    async def silent(_messages) -> str:
        raise NotAnswered

    found = await judge_all(evaluation, silent, "j", tmp_path / "kept.jsonl")
    result = with_judge(evaluation, "j", found)
    assert result.judged and (result.judged.examples, result.judged.not_judged) == (0, 20)
    assert result.score == evaluation.score and result.score and "Not measured: judge" in result.score.words


async def test_agreement_with_the_users_thumbs(evaluation: Evaluation, tmp_path: Path) -> None:
    async def judge(messages) -> str:
        return fair(json.loads(messages[1].content))

    found = await judge_all(evaluation, judge, "j", tmp_path / "kept.jsonl")
    right = [each.tuned == each.reference for each in evaluation.examples]
    thumbs = [
        Thumb(prompt=each.prompt, answer=f" {each.tuned.upper()}. ", up=up)
        for each, up in zip(evaluation.examples, right, strict=True)
    ]
    same = agreement(evaluation, found, thumbs)
    assert same and (same.answers, same.share, same.kappa) == (20, 1.0, 1.0)
    opposite = [Thumb(prompt=each.prompt, answer=each.answer, up=not each.up) for each in thumbs]
    other = agreement(evaluation, found, opposite)
    assert other and other.share == 0 and other.kappa < 0
    assert agreement(evaluation, found, [Thumb(prompt="x", answer="y", up=True)]) is None


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = pytest.mark.anyio
