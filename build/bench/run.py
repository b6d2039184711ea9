"""Every benchmark, one after the other: `python build/bench/run.py [name ...]`. 1 when a target was missed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NAMES = ("ring", "charts", "startup", "data", "training", "loss", "memory", "resume", "anomaly", "demo", "screen")


def main(wanted: list[str]) -> int:
    build = Path(__file__).resolve().parents[1]
    codes = [
        subprocess.run(
            [sys.executable, "-m", f"bench.{name}"], cwd=build, env=os.environ | {"PYTHONUTF8": "1"}, check=False
        ).returncode
        for name in wanted or NAMES
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
