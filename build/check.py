"""Every check of the house in one command: `python3 build/check.py`. Docs are executed by the tests.

Run it after `python3 build/run.py test` has made the environment once.
"""

from __future__ import annotations

import subprocess
import sys
import time

from run import ROOT, TOGETHER, python, set_up

CHECKS = (
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("lint", ("-m", "ruff", "check", ".")),
    ("types", ("-m", "pyright")),
    ("arrows", ("-c", "from importlinter.cli import lint_imports_command as check; check()")),
    ("tests and docs", ("-m", "pytest", *TOGETHER)),
)


def main(wanted: list[str]) -> int:
    """Run the named checks (all by default), the rest too when one fails; 1 when any failed."""
    set_up(("train", "test"))
    failed = []
    for name, words in CHECKS:
        if wanted and name.split()[0] not in wanted:
            continue
        started = time.monotonic()
        code = subprocess.run([str(python()), *words], cwd=ROOT, check=False).returncode
        print(f"{'ok    ' if code == 0 else 'FAILED'} {name} ({time.monotonic() - started:.0f} s)", flush=True)
        failed += [name] if code else []
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
