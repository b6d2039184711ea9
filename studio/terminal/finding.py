"""Runs as the command line finds them: read off the Home's folders, without its holder."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.core.home import Home
from engine.runs.views import RunView
from engine.spec.folder import RunFolder

RunArgument = Annotated[str, typer.Argument(help="A run's id, the start of it, its name, or `last`.")]


def views(home: Home) -> list[RunView]:
    """All runs, newest first."""
    from engine.runs.index import view_of

    folders = [RunFolder(path) for path in home.runs.iterdir() if (path / "spec.json").exists()]
    return sorted((view_of(folder) for folder in folders), key=lambda view: -view.created)


def find_run(home: Home, words: str) -> str:
    """The id of the run that these words mean. Raises RunError."""
    from engine.runs.runs import find_view

    return find_view(views(home), words).id
