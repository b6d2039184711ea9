"""Waiting for what the Home's holder makes after a run has ended."""

from __future__ import annotations

import time

from engine.results.evaluation import Evaluation
from engine.results.versions import Version, Versions
from engine.runs.views import RunView
from engine.spec.records import RunState

PATIENCE_SECONDS = 20.0


def version_of(versions: Versions, view: RunView) -> Version | None:
    """The version a run became; None for a run that makes none."""
    if view.state not in (RunState.COMPLETED, RunState.STOPPED):
        return None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if version := versions.of_run(view.id):
            return version
        time.sleep(0.1)
    return None


def evaluation_of(versions: Versions, version: Version, run: str) -> Evaluation | None:
    """The verdict of one evaluation run on one version."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := versions.evaluation_by(version, run):
            return found
        time.sleep(0.1)
    return None
