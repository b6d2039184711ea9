"""The run directory: the names of its files, and who writes which. The directory is the truth, the database an index.

spec.json launch.json                                           the launcher
control.json queue.json estimate.json score.json reading.json unscored.json unkept.json   the engine
state.json metrics.ring metrics.jsonl events.jsonl log.txt checkpoints/ adapter/ results.jsonl endpoint.json
certificate.json provenance.json proposal.json reference.safetensors   the worker
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypeVar

import msgspec

from engine.spec.files import read_struct, write_struct
from engine.spec.records import Control, LaunchRecord, RunState, StateRecord
from engine.spec.runspec import RunSpec, decode_spec

T = TypeVar("T")


class _Inside:
    """A path in a run's folder, put together when it is asked for: who lists ten thousand runs asks for few."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: RunFolder, owner: type[RunFolder]) -> Path:
        return folder.path / self._name


class RunFolder:
    """Paths and small files of one run. Reading a file that is not there yet gives None."""

    spec_file = _Inside("spec.json")
    launch_file = _Inside("launch.json")
    state_file = _Inside("state.json")
    control_file = _Inside("control.json")
    ring_file = _Inside("metrics.ring")
    metrics_file = _Inside("metrics.jsonl")
    events_file = _Inside("events.jsonl")
    log_file = _Inside("log.txt")
    results_file = _Inside("results.jsonl")
    unscored_file = _Inside("unscored.json")
    unkept_file = _Inside("unkept.json")
    way_file = _Inside("way.json")
    proposal_file = _Inside("proposal.json")
    endpoint_file = _Inside("endpoint.json")
    checkpoints = _Inside("checkpoints")
    adapter = _Inside("adapter")

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        return self.path.name

    def spec(self) -> RunSpec:
        """The run's spec. Raises OSError, SpecTooNew or SpecInvalid."""
        return decode_spec(self.spec_file.read_bytes())

    def state(self) -> StateRecord:
        """What the worker last said; `created` before it said anything or when the file is unreadable."""
        return _read(self.state_file, StateRecord) or StateRecord(state=RunState.CREATED)

    def launch(self) -> LaunchRecord | None:
        return _read(self.launch_file, LaunchRecord)

    def control(self) -> Control | None:
        return _read(self.control_file, Control)

    def write_state(self, state: StateRecord) -> None:
        write_struct(self.state_file, msgspec.structs.replace(state, time=time.time()))

    def checkpoint_folders(self) -> list[Path]:
        """Complete checkpoints, oldest first. A half-written one has another name (`.step-N.tmp`)."""
        found = [path for path in self.checkpoints.glob("step-*") if path.is_dir()]
        return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return read_struct(path, kind)
    except (OSError, msgspec.MsgspecError):
        return None
