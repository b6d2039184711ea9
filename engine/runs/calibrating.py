"""What finished runs teach later plans: per device and method, the median of measured over predicted.

`calibration.json` in the Home is a digest of the runs' own scores, and is made again from them when it is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

from engine.plan.calibration import Calibration
from engine.runs.scoring import Scored, scored
from engine.spec.files import read_struct, write_struct
from engine.spec.folder import RunFolder

log = logging.getLogger(__name__)
FILE = "calibration.json"
KEPT = 200
NEWEST = 5
"""Runs that a correction is taken from: enough for a median, few enough to follow a new driver."""
SIMILAR = 3.0
"""Models within this factor in size reach a similar share of a device's speed."""
LEAST, MOST = 0.02, 50.0


class Calibrations:
    """The scores of a Home's finished runs, newest last."""

    def __init__(self, home: Path, runs: Path) -> None:
        self._file = home / FILE
        self._runs = runs
        self._read: tuple[Scored, ...] | None = None

    @property
    def _known(self) -> tuple[Scored, ...]:
        if self._read is None:  # when something is planned, not when a Home is opened: all runs may have to be read
            self._read = self._load()
        return self._read

    def _load(self) -> tuple[Scored, ...]:
        try:
            return read_struct(self._file, tuple[Scored, ...])
        except FileNotFoundError:
            log.info("no calibration yet; the runs are looked through")
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("the calibration is made again from the runs: %s", error)
        found = (scored(RunFolder(path)) for path in sorted(self._runs.glob("*")))
        return tuple(each for each in found if each is not None)[-KEPT:]

    def add(self, made: Scored) -> None:
        """Count one more run, and keep that. Raises OSError."""
        others = tuple(each for each in self._known if each.run != made.run)
        self._read = (*others, made)[-KEPT:]
        write_struct(self._file, self._read)

    def of(self, device: str, method: str, parameters: int) -> Calibration | None:
        """The correction for a run of this kind; None before a similar one has finished on this device alone."""
        like = [each for each in self._known if each.alone and _similar(each, device, method, parameters)][-NEWEST:]
        if not like:
            return None
        seconds, memory = [each.ratios.seconds for each in like], [each.ratios.memory for each in like]
        return Calibration(
            seconds=_within(median(seconds)),
            memory=_within(median(memory)),
            steps=sum(each.ratios.steps for each in like),
            seconds_spread=_spread(seconds, 1.3),
            memory_spread=_spread(memory, 1.05),
        )


def _similar(each: Scored, device: str, method: str, parameters: int) -> bool:
    size = each.parameters / max(1, parameters)
    return (each.device, each.method) == (device, method) and 1 / SIMILAR <= size <= SIMILAR


def _spread(ratios: Sequence[float], least: float) -> float:
    """How far the measurements lie from their median at most; another run's rows and settings differ by `least`."""
    middle = median(ratios)
    return max(least, max(ratios) / middle, middle / min(ratios))


def _within(ratio: float) -> float:
    """A machine that slept through a run must not ruin the plans after it."""
    return min(MOST, max(LEAST, ratio))
