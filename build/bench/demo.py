"""The demo after set-up: seconds from the command to the verdict, in a Home of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

from bench.report import Measure, report


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        words = [sys.executable, "-m", "studio.cli", "demo", "--json", "--home", home]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return report(
        "demo",
        [
            Measure("demo after set-up", result["seconds"], "s", 120),
            Measure("p-value, tuned against base", result["p_value"], "", 0.01),
            Measure("exact match, base", result["base"]["exact_match"], ""),
            Measure("exact match, tuned", result["tuned"]["exact_match"], ""),
            Measure("token F1, base", result["base"]["token_f1"], ""),
            Measure("token F1, tuned", result["tuned"]["token_f1"], ""),
            Measure("held-out examples", result["examples"], "rows"),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
