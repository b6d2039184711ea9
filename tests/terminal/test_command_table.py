"""The table of commands: every command is found by its name, and a name brings no more than its own part."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from studio.cli import WHERE, app

TERMINAL = Path(__file__).parents[2] / "studio" / "terminal"


@pytest.mark.parametrize("name", sorted(WHERE))
def test_a_command_is_there_under_its_name_and_says_what_it_does(name: str) -> None:
    found = app.commands[name]
    assert found.name == name and len(found.help.split()) > 4


def test_every_group_of_commands_is_in_the_table() -> None:
    parts = {place.partition(":")[0] for place in WHERE.values()}
    assert {each.stem for each in TERMINAL.glob("*_commands.py")} - parts == {"library_commands"}  # a part of `data`


def test_the_page_is_asked_for_before_the_engine_and_other_commands_are_imported() -> None:
    script = "import json, sys; from studio.cli import app; app.commands['serve']; import studio.web; "
    found = subprocess.run(
        [sys.executable, "-c", script + "print(json.dumps(list(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = ("engine.engine", "engine.plan", "engine.data", "engine.runs", "studio.terminal.training_commands", "click")
    assert [each for each in json.loads(found.stdout) if each.startswith(heavy)] == []


def test_a_name_that_is_not_there_is_answered_with_the_nearest() -> None:
    words = [sys.executable, "-m", "studio.cli", "trian"]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    assert found.returncode == 2 and "Did you mean 'train'" in found.stderr and "Traceback" not in found.stderr
