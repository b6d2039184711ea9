"""A check of the user's own can be wrong in every way without taking the app along."""

from __future__ import annotations

import os
import sys

import pytest

from engine.results.metrics.checks import Asked, CheckFailed, run_check
from engine.spec.suite import Check

ROWS = [Asked("q", answer, "r") for answer in ("yes", "no", "maybe")]


def check(body: str, **limits: float) -> Check:
    source = f"import os, sys, time\ndef check(prompt, answer, reference):\n    {body}\n"
    return Check(name="mine", source=source, **limits)  # type: ignore[arg-type]


def test_a_check_says_true_or_a_share_of_each_answer() -> None:
    assert run_check(check("return answer == 'yes'"), ROWS) == [1.0, 0.0, 0.0]
    assert run_check(check("return len(answer) / 10"), ROWS) == pytest.approx([0.3, 0.2, 0.5])


def test_what_a_check_prints_is_not_taken_for_an_answer() -> None:
    assert run_check(check("print('{\"value\": 1}'); return False"), ROWS) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 1 / (len(answer) - 2)", "At example 2: ZeroDivisionError: division by zero, line 3"),
        ("return 'good'", "At example 1: ValueError"),
        ("return None", "At example 1: TypeError"),
        ("return 7", "nor a number from 0 to 1"),
        ("return float('nan')", "At example 1: ValueError"),
        ("os._exit(0)", "left without an answer"),
        ("sys.exit()", "left without an answer"),
        ("os.kill(os.getpid(), 9)", "left without an answer"),
    ],
)
def test_a_check_that_fails_is_named_with_the_example(body: str, words: str) -> None:
    if "kill" in body and sys.platform == "win32":
        pytest.skip("no such signal")
    with pytest.raises(CheckFailed) as caught:
        run_check(check(body), ROWS)
    card = caught.value.card
    assert words in card.why and "mine" in card.what and len(card.actions) >= 1


def test_a_check_that_hangs_is_ended() -> None:
    with pytest.raises(CheckFailed, match="takes too long"):
        run_check(check("time.sleep(60) if answer == 'no' else 0; return 1", seconds=0.5), ROWS)


@pytest.mark.parametrize("grow", ["len(bytearray(10**12))", "['x' * 10**7 for _ in range(15)] and time.sleep(9)"])
def test_a_check_that_takes_too_much_memory_is_ended(grow: str) -> None:
    with pytest.raises(CheckFailed, match="too much memory"):
        run_check(check(f"return {grow}", megabytes=64), ROWS)


@pytest.mark.parametrize(
    ("source", "words"),
    [("def check(:\n", "SyntaxError"), ("x = 1", "no function check"), ("raise OSError('no')", "OSError: no")],
)
def test_a_check_that_cannot_be_loaded_says_why(source: str, words: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        run_check(Check(name="mine", source=source), ROWS)
    assert words in caught.value.card.why and caught.value.card.why.startswith("As it was loaded")


def test_a_check_sees_no_secrets_of_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HF_TOKEN", "secret")
    assert run_check(check("return 'HF_TOKEN' in os.environ"), ROWS[:1]) == [0.0]
