"""What is noted at the end of a train run: its reading, and how good its estimate was, for the plans to come."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import anyio.to_thread

from engine.runs.calibrating import Calibrations
from engine.runs.reading import keep_reading
from engine.runs.scoring import Scored, keep_score, was_alone
from engine.runs.views import RunView
from engine.spec.folder import RunFolder

log = logging.getLogger(__name__)


async def note_end(folder: RunFolder, view: RunView, runs: Sequence[RunView], calibrations: Calibrations) -> None:
    """Keep reading and score. A full disk costs neither the run nor its version: a reading is made again when asked."""
    try:
        made = await anyio.to_thread.run_sync(_keep, folder, was_alone(view, runs))
        if made is not None:
            calibrations.add(made)
    except OSError:
        log.exception("what run %s was like could not be kept", view.id)


def _keep(folder: RunFolder, alone: bool) -> Scored | None:
    keep_reading(folder)
    return keep_score(folder, alone=alone)
