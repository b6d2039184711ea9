"""Waiting for what the Home's holder makes after a run has ended."""

from __future__ import annotations

import time

import anyio

from engine import orders
from engine.core.errors import RunError, StudioError
from engine.core.home import Home
from engine.results.after import verdict_of_run, why_unscored
from engine.results.evaluation import Evaluation
from engine.results.versions import Version, Versions
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from studio.terminal.show import say

ASKED_AFTER_SECONDS = 1.0
"""The holder is asked how far it is when there is nothing yet, and every so often again."""
SAID_AFTER_SECONDS = 3.0
LOOK_SECONDS = 0.1
NO_VERSION = "The run left no version."
HOLDERS = 5
"""How many keepers are started for one verdict: each may be ended from outside, but something else is wrong then."""


def version_of(home: Home, view: RunView) -> Version | None:
    """The version that a training run became; waits as long as the Home's holder is at it.

    None for a run that became none: it failed, left nothing to keep, or its version was deleted. Raises StudioError
    with why it could not be kept, after that was tried once more.
    """
    if view.state not in (RunState.COMPLETED, RunState.STOPPED):
        return None
    versions, begun = Versions(home.versions), time.monotonic()
    asked, told, again = begun, False, True
    while True:
        if version := versions.of_run(view.id):
            return version
        now = time.monotonic()
        if not told and now - begun > SAID_AFTER_SECONDS:
            told = True
            say("Keeping the version ...")
        if now - asked > ASKED_AFTER_SECONDS:
            ending = anyio.run(orders.ask, home, orders.SeeEnding(run=view.id, again=again), orders.Ending)
            if ending.done:
                return _kept(versions, view.id, ending)
            asked, again = time.monotonic(), False
        time.sleep(LOOK_SECONDS)


def _kept(versions: Versions, run: str, ending: orders.Ending) -> Version | None:
    """What there is once nothing more will come."""
    found = versions.of_run(run)
    if found is None and ending.why is not None:
        raise StudioError.from_card(ending.why)
    return found


def evaluation_of(home: Home, version: Version, run: str) -> Evaluation:
    """The verdict of an evaluation run that has ended, on one version; waits while the Home's holder makes it.

    Where nobody holds the Home a keeper is started, which makes it. Raises StudioError with why there is none.
    """
    versions, folder = Versions(home.versions), RunFolder(home.runs / run)
    begun, looked_for, started, told = time.monotonic(), 0.0, 0, False
    while True:
        if found := verdict_of_run(versions, version, folder):
            return found
        if card := why_unscored(version, folder):
            raise StudioError.from_card(card)
        now = time.monotonic()
        if not told and now - begun > SAID_AFTER_SECONDS:
            told = True
            say("Scoring the answers ...")
        if home.holder() is None and now - looked_for > orders.KEEPER_RETRY_SECONDS:
            if started == HOLDERS or not folder.path.is_dir():
                raise _never_scored(run)
            orders.start_keeper(home)
            looked_for, started = now, started + 1
        time.sleep(LOOK_SECONDS)


def _never_scored(run: str) -> RunError:
    return RunError(
        "The answers were not scored.",
        "All answers are kept, but each time they were to be scored the process that does it was ended.",
        f"Try again: peft-studio evaluations {run}",
        "Look at keeper.txt in the Home's logs.",
    )
