"""Checks of the user's own, in Python or as a regular expression, each in a process of its own with limits of time and
memory.

Such a check runs with the user's rights, as any script they start: the limits are there so that a mistake in it cannot
hang or crash the app, not against a check that means harm.
"""

from __future__ import annotations

import ast
import contextlib
import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import psutil

from engine.core.errors import DataError
from engine.spec.suite import Check, Pattern

START_SECONDS = 20.0
LOOK_SECONDS = 0.02
RUNNER = Path(__file__).with_name("check_runner.py")


class Asked(msgspec.Struct, frozen=True):
    """One answer to look at."""

    prompt: str
    answer: str
    reference: str


class Said(msgspec.Struct, frozen=True):
    """What the other process says: ready, a value, or what was raised and in which line."""

    value: float | bool | None = None
    error: str = ""
    line: int = 0


class CheckFailed(DataError):
    """The check could not be carried out; its card says at which example, and why."""


def looked_over(check: Check) -> Check:
    """The check, if its text is Python with a function `check`; nothing of it is run. Raises CheckFailed."""
    try:
        tree = ast.parse(check.source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise CheckFailed(
            f"The check “{check.name}” is not Python.",
            f"It cannot be read{line}: {str(error).partition(' (')[0]}.",
            "Correct it and try again.",
        ) from None
    names = [
        *(each.name for each in tree.body if isinstance(each, ast.FunctionDef)),
        *(name.id for each in tree.body if isinstance(each, ast.Assign) for name in each.targets
          if isinstance(name, ast.Name)),
        *(name.asname or name.name for each in tree.body if isinstance(each, ast.ImportFrom) for name in each.names),
    ]  # fmt: skip
    if "check" not in names:
        raise CheckFailed(
            f"The check “{check.name}” has no function `check`.",
            "It is asked as check(prompt, answer, reference).",
            "Begin it with: def check(prompt, answer, reference):",
        )
    return check


class TooSlow(CheckFailed):
    """It had not answered in its time."""


def run_check(check: Check, examples: Sequence[Asked]) -> list[float]:
    """What the check says to each example, 0 to 1. Raises CheckFailed when it raises, hangs, or takes too much."""
    with tempfile.TemporaryDirectory(prefix="peft-studio-check-", ignore_cleanup_errors=True) as place:
        source = Path(place) / "check.py"
        source.write_text(check.source, encoding="utf-8")
        with _process(check, source) as (process, lines):
            ready = _next(check, process, lines, START_SECONDS)
            if ready.error:
                raise _raised(check, ready, 0)
            return [_ask(check, process, lines, number, each) for number, each in enumerate(examples, start=1)]


EXPRESSION = """import re
found = re.compile({text!r})
def check(prompt, answer, reference):
    return (found.search(answer) is not None) is {wanted}
"""


def run_expression(pattern: Pattern, answers: Sequence[str], seconds: float = 5.0) -> list[float]:
    """Whether each answer keeps to a regular expression, 1 or 0. Raises CheckFailed when it cannot be searched for.

    Some expressions take longer than the world has stood on a single answer, so they have a check's limits too.
    """
    source = EXPRESSION.format(text=pattern.text, wanted=pattern.wanted)
    check = Check(name=pattern.name, source=source, seconds=seconds)
    try:
        return run_check(check, [Asked("", answer, "") for answer in answers])
    except TooSlow as error:
        raise CheckFailed(
            f"The expression “{pattern.text}” takes too long.",
            error.card.why,
            "Write it without repetitions inside a repetition, such as (a+)+.",
            "Or check for plain words instead.",
        ) from None


@contextlib.contextmanager
def _process(check: Check, source: Path) -> Iterator[tuple[subprocess.Popen[bytes], queue.Queue[bytes]]]:
    limits = (check.megabytes, check.seconds, START_SECONDS)
    words = [sys.executable, "-I", str(RUNNER), str(source), *map(str, limits)]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=source.parent,
        env={name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG") if name in os.environ},
    )  # fmt: skip
    lines: queue.Queue[bytes] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        yield process, lines
    finally:
        process.kill()
        process.wait()
        reader.join()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]


def _read(process: subprocess.Popen[bytes], lines: queue.Queue[bytes]) -> None:
    assert process.stdout
    for line in process.stdout:
        lines.put(line)
    lines.put(b"")


def _ask(check: Check, process: subprocess.Popen[bytes], lines: queue.Queue[bytes], number: int, asked: Asked) -> float:
    assert process.stdin
    with contextlib.suppress(OSError):  # it is gone; the next line says so
        process.stdin.write(msgspec.json.encode(asked) + b"\n")
        process.stdin.flush()
    said = _next(check, process, lines, check.seconds, number)
    if said.error:
        raise _raised(check, said, number)
    value = float(said.value) if said.value is not None else math.nan
    if not 0 <= value <= 1:
        raise CheckFailed(
            f"The check “{check.name}” said {said.value!r}.",
            f"At example {number} it returned neither true or false nor a number from 0 to 1.",
            "Let it return True or False, or a share.",
        )
    return value


def _next(
    check: Check, process: subprocess.Popen[bytes], lines: queue.Queue[bytes], seconds: float, number: int = 0
) -> Said:
    """The next line of the other process, watched for time and memory."""
    deadline, watched = time.monotonic() + seconds, psutil.Process(process.pid)
    while True:
        try:
            line = lines.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if time.monotonic() > deadline:
                raise TooSlow(
                    f"The check “{check.name}” takes too long.",
                    f"{_at(number)} it was not done after {seconds:g} seconds, and was ended.",
                    "Look for a loop that does not end.",
                    "Or give it more time.",
                ) from None
            if _memory(watched) > check.megabytes * 1_000_000:
                raise _greedy(check, number) from None
            continue
        try:
            return msgspec.json.decode(line, type=Said)
        except msgspec.MsgspecError:
            raise CheckFailed(
                f"The check “{check.name}” ended by itself.",
                f"{_at(number)} its process left without an answer.",
                "Look for a call of exit in it.",
                "Run it on its own with that example.",
            ) from None


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _raised(check: Check, said: Said, number: int) -> CheckFailed:
    if said.error.startswith("MemoryError"):
        return _greedy(check, number)
    where = f", line {said.line} of the check" if said.line else ""
    return CheckFailed(
        f"The check “{check.name}” raised an error.",
        f"{_at(number)}: {said.error[:300]}{where}.",
        "Correct the check and score again; the answers are kept.",
        "Or leave it out.",
    )


def _greedy(check: Check, number: int) -> CheckFailed:
    return CheckFailed(
        f"The check “{check.name}” takes too much memory.",
        f"{_at(number)} it asked for more than its {check.megabytes} MB, and was ended.",
        "Let it hold less at a time.",
        "Or give it more memory.",
    )


def _at(number: int) -> str:
    return f"At example {number}" if number else "As it was loaded"
