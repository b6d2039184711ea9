"""The run directory: the names of its files, and who writes which. The directory is the truth, the database an index.

spec.json launch.json                                           the launcher
control.json queue.json estimate.json score.json reading.json unscored.json   the engine
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


class RunFolder:
    """Paths and small files of one run. Reading a file that is not there yet gives None."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec_file = path / "spec.json"
        self.launch_file = path / "launch.json"
        self.state_file = path / "state.json"
        self.control_file = path / "control.json"
        self.ring_file = path / "metrics.ring"
        self.metrics_file = path / "metrics.jsonl"
        self.events_file = path / "events.jsonl"
        self.log_file = path / "log.txt"
        self.results_file = path / "results.jsonl"
        self.unscored_file = path / "unscored.json"
        self.way_file = path / "way.json"
        self.proposal_file = path / "proposal.json"
        self.endpoint_file = path / "endpoint.json"
        self.checkpoints = path / "checkpoints"
        self.adapter = path / "adapter"

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
