"""What benchmarks there are to choose from: public tasks that are known by name (`assets/benchmarks.json`), and those
in a folder of the user's own."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec

from engine.core.errors import DataError

LARGEST = 1_000_000
"""Bytes of a task's file; what is larger is none."""
NAMED = re.compile(r"^(?:task|group):[ \t]*([\"']?)([^\s\"'#\[\]{}]+)\1[ \t]*(?:#.*)?$", re.MULTILINE)


class PublicTask(msgspec.Struct, frozen=True, kw_only=True):
    """A public benchmark: its name in lm-evaluation-harness, and what it asks in a sentence."""

    name: str
    title: str
    about: str
    examples: int


@cache
def public_tasks() -> tuple[PublicTask, ...]:
    """Those that are offered by name; every other one of the harness can be named too."""
    return msgspec.json.decode(
        (resources.files("assets") / "benchmarks.json").read_bytes(), type=tuple[PublicTask, ...]
    )


def title_of(name: str) -> str:
    """What people call a task."""
    return next((each.title for each in public_tasks() if each.name == name), name)


def tasks_in(folder: Path) -> tuple[str, ...]:
    """The names of the tasks and groups whose YAML files are in a folder. Raises DataError where there are none."""
    if not folder.is_dir():
        raise DataError(
            "The tasks' folder is not there.",
            f"{folder} was not found.",
            "Name the folder that holds the tasks' YAML files.",
        )
    try:
        files = [path for path in sorted(folder.rglob("*.y*ml")) if path.stat().st_size <= LARGEST]
        texts = [path.read_text("utf-8", errors="replace") for path in files]
    except OSError as error:
        raise DataError(
            "The tasks' folder cannot be read.", f"{error}.", "Make it readable, or name another."
        ) from error
    names = dict.fromkeys(found[1] for text in texts for found in NAMED.findall(text))
    if not names:
        raise DataError(
            "There are no tasks in this folder.",
            f"None of the {len(files)} YAML files in {folder} has a line such as “task: my_task”.",
            "Name the folder that holds the tasks' YAML files, as lm-evaluation-harness describes them.",
        )
    return tuple(names)
