"""Is the worker of a run alive? Judged from pid and process start time, because a pid is given again."""

from __future__ import annotations

import psutil

from engine.spec.records import LaunchRecord

START_TOLERANCE = 2.0
"""Seconds by which the system's and our idea of a process's start may differ."""


def started_at(pid: int) -> float:
    """When a process began, seconds since the epoch; 0 when it is already gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def alive(launch: LaunchRecord) -> bool:
    """True when exactly that process still runs (a zombie waiting for its parent does not)."""
    if launch.pid <= 0:
        return False
    try:
        process = psutil.Process(launch.pid)
        same = abs(process.create_time() - launch.process_started) < START_TOLERANCE
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
