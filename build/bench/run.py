"""Every benchmark, one after the other: `python build/bench/run.py [name ...] [--flag ...]`. 1 when a target is missed.

Flags, such as `--large` of data, go to each benchmark that is named.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NAMES = (
    "ring",
    "charts",
    "startup",
    "data",
    "training",
    "loss",
    "memory",
    "resume",
    "anomaly",
    "demo",
    "screen",
    "painted",
    "results",
    "ui",
    "exports",
)


def main(words: list[str]) -> int:
    flags = [each for each in words if each.startswith("-")]
    wanted = [each for each in words if each not in flags]
    build = Path(__file__).resolve().parents[1]
    # as the app is run: compiled once, not at every start
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    codes = [
        subprocess.run(
            [sys.executable, "-m", f"bench.{name}", *flags],
            cwd=build,
            env=env | {"PYTHONUTF8": "1"},
            check=False,
        ).returncode
        for name in wanted or NAMES
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
