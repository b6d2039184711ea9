"""A check of the user's own can be wrong in every way without taking the app along."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.results.metrics.checks import Asked, CheckFailed, run_check, run_expression
from engine.results.metrics.measures import Answered, marked
from engine.spec.suite import Check, Pattern, Suite

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


SLOW = Pattern(name="ends well", text=r"^(\w+.?.?)+!!$", regex=True)
"""It looks harmless, and takes longer than anybody lives on an answer of sixty letters."""


def answered(*said: str) -> list[Answered]:
    return [Answered(prompt="q", reference="r", base="x", tuned=each, base_loss=1.0, tuned_loss=1.0) for each in said]


def test_an_expression_says_whether_each_answer_keeps_to_it() -> None:
    days = Pattern(name="days", text=r"\d+ 'days'\n?$", regex=True)
    assert run_expression(days, ["in 12 'days'", "in a week"]) == [1.0, 0.0]
    never = Pattern(name="never", text="days", regex=True, wanted=False)
    assert run_expression(never, ["in 12 days", "in a week"]) == [0.0, 1.0]


def test_an_expression_that_would_never_end_is_ended_and_the_other_measures_stay() -> None:
    suite = Suite(metrics=("exact_match",), patterns=(SLOW, Pattern(name="has a", text="a+", regex=True)))
    begun = time.monotonic()
    marks, problems = marked(suite, answered("fine!!", "a" * 60))
    assert time.monotonic() - begun < 15
    assert [each.name for each in marks] == ["exact_match", "pattern: has a"]
    assert marks[1].tuned == (0.0, 1.0)
    assert len(problems) == 1 and SLOW.text in problems[0].what and "repetition" in problems[0].actions[0].label


HANGING = {
    "in Python": "while True: pass",
    "asleep": "time.sleep(600)",
    "in C, without letting go of the interpreter": r"import re; re.search(r'^(\w+.?.?)+!!$', 'a' * 60)",
}


@pytest.mark.parametrize("body", HANGING.values(), ids=HANGING)
def test_a_check_that_hangs_does_not_outlive_who_asked_it(tmp_path: Path, body: str) -> None:
    here = tmp_path / "here"
    source = f"import time\ndef check(p, a, r):\n    open({str(here)!r}, 'w').close()\n    {body}\n"
    program = (
        "from engine.results.metrics.checks import Asked, run_check\n"
        "from engine.spec.suite import Check\n"
        f"run_check(Check(name='mine', source={source!r}, seconds=2), [Asked('q', 'a', 'r')])\n"
    )
    asking = subprocess.Popen([sys.executable, "-c", program])
    try:
        deadline = time.monotonic() + 20
        while not here.exists():
            assert time.monotonic() < deadline and asking.poll() is None
            time.sleep(0.02)
        (running,) = psutil.Process(asking.pid).children()
    finally:
        asking.kill()
        asking.wait()
    gone, left = psutil.wait_procs([running], timeout=10)
    for process in left:
        process.kill()
    assert gone and not left
