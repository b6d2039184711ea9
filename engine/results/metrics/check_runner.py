"""The program that runs one check: `python -I check_runner.py <check.py> <megabytes>`; JSON lines in, JSON lines out.

Standard library alone. What the check prints goes nowhere, so that it cannot be mistaken for an answer.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any


def main(path: str, megabytes: int) -> None:
    """Load the check, say that it is ready, and answer each line."""
    out = sys.stdout
    _limit(megabytes)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            check = _load(path)
        except BaseException as error:  # noqa: BLE001 - whatever it raises is told
            _tell(out, _error(error, path))
            return
        _tell(out, {})
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                value = check(asked["prompt"], asked["answer"], asked["reference"])
                _tell(out, {"value": value if isinstance(value, bool) else float(value)})
            except Exception as error:  # noqa: BLE001
                _tell(out, _error(error, path))


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
    main(sys.argv[1], int(sys.argv[2]))
