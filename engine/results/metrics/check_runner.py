"""The program that runs one check: `python -I check_runner.py <check.py> <megabytes> <seconds> <start seconds>`.

JSON lines in, JSON lines out. Standard library alone. What the check prints goes nowhere, so that it cannot be mistaken
for an answer. It never outlives who asks: it ends when nobody is left to ask it, and, where it hangs so that it cannot
see that, a while after its time for an answer is over.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

GRACE_SECONDS = 2.0
"""Who asks ends it in time; this is for when they are gone."""


def main(path: str, megabytes: int, seconds: float, start_seconds: float) -> None:
    """Load the check, say that it is ready, and answer each line."""
    out = sys.stdout
    asked_for = _questions()
    _limit(megabytes)
    with contextlib.redirect_stdout(io.StringIO()), open(os.devnull, "w") as nowhere:  # noqa: PTH123
        with _no_longer_than(start_seconds, nowhere):
            try:
                check = _load(path)
            except BaseException as error:  # noqa: BLE001 - whatever it raises is told
                _tell(out, _error(error, path))
                return
        _tell(out, {})
        while True:
            asked = json.loads(asked_for.get())
            with _no_longer_than(seconds, nowhere):
                try:
                    value = check(asked["prompt"], asked["answer"], asked["reference"])
                    _tell(out, {"value": value if isinstance(value, bool) else float(value)})
                except Exception as error:  # noqa: BLE001
                    _tell(out, _error(error, path))


def _questions() -> queue.Queue[str]:
    """The lines that come in. When no more can come the process ends, whatever the check is doing."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


@contextlib.contextmanager
def _no_longer_than(seconds: float, nowhere: io.TextIOBase | Any) -> Any:
    """End the process when this takes longer; also while C code holds the interpreter, as an expression's search does.

    The watch of faulthandler is a thread of the system's own that needs no interpreter, on every platform.
    """
    faulthandler.dump_traceback_later(seconds + GRACE_SECONDS, exit=True, file=nowhere)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _limit(megabytes: int) -> None:
    """Where the system can, memory beyond the limit (and what Python itself takes) is refused at once."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        most = (megabytes + 256) * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _load(path: str) -> Callable[[str, str, str], Any]:
    names: dict[str, Any] = {"__name__": "check"}
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - this program imports as little as it can
        exec(compile(file.read(), path, "exec"), names)
    if not callable(names.get("check")):
        raise NameError("it has no function check(prompt, answer, reference)")
    return names["check"]  # type: ignore[no-any-return]


def _error(error: BaseException, path: str) -> dict[str, Any]:
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError):
        lines.append(error.lineno or 0)
    return {"error": f"{type(error).__name__}: {error}", "line": lines[-1] if lines else 0}


def _tell(out: io.TextIOBase | Any, said: dict[str, Any]) -> None:
    out.write(json.dumps(said, allow_nan=False) + "\n")
    out.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
    finally:
        os._exit(0)  # the thread that reads cannot be waited for
