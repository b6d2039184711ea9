"""The README is executed: its commands run, and print what it shows, numbers aside."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
NUMBER = re.compile(r"[-+]?\d[\d,.]*")


def commands() -> list[tuple[str, list[str]]]:
    """Each command of the README with the lines shown under it; `...` stands for any lines."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def words_of(command: str) -> list[str]:
    """The command as it can be run here: in this environment instead of the one that run.py makes."""
    words = shlex.split(command)
    words = words[2:] if words[:2] == ["python3", "build/run.py"] else words[1:]
    return [sys.executable, "-P", "-m", "studio.cli", *words]


def pattern(lines: list[str]) -> re.Pattern[str]:
    """What the output must look like: the same words, any numbers, any spacing."""
    parts = []
    for line in lines:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            masked = NUMBER.sub("\0", " ".join(line.split()))
            parts.append(re.escape(masked).replace("\0", NUMBER.pattern).replace(r"\ ", r"\s+") + r"\s*\n")
    return re.compile("".join(parts) + r"(?:.*\n)*")


def simplified(text: str) -> str:
    """Output with its spacing evened out, line by line."""
    return "".join(" ".join(line.split()) + "\n" for line in text.splitlines())


@pytest.mark.worker
def test_the_commands_of_the_readme_work_in_their_order(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "assets" / "samples", tmp_path / "assets" / "samples")
    ran = []
    for command, shown in commands():
        if command == "python3 build/run.py":
            continue  # opens the app: tests/e2e
        done = subprocess.run(words_of(command), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert pattern(shown).fullmatch(simplified(done.stdout)), f"{command} printed\n{done.stdout}"
        ran.append(command)
    assert ran[0].endswith("demo")
    assert len(ran) >= 8


def test_what_the_readme_points_to_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (ROOT / target).exists(), target
