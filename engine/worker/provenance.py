"""Which bytes a run was started on: a digest of every file of the model and of the prepared data.

A resume on other bytes would be another run under the same name, so it is refused, with what differs. Large files are
sampled: their size, and four megabytes at the beginning, the middle and the end.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.spec.digests import MODEL_FILES, digests
from engine.spec.exits import Exit
from engine.spec.files import read_struct, write_struct
from engine.spec.folder import RunFolder
from engine.spec.runspec import TrainJob
from engine.worker.fault import Fault

FILE = "provenance.json"
DATA_FILES = ("header.json", "*.tokens", "*.trained", "*.offsets", "*.desired")


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """`provenance.json`: digests by file name."""

    model: dict[str, str]
    data: dict[str, str]


def check(job: TrainJob, folder: RunFolder) -> None:
    """Write the digests down at the first start; later compare. Raises Fault when something is not what it was."""
    now = Provenance(
        model=digests(Path(job.model.path), MODEL_FILES), data=digests(Path(job.data.prepared), DATA_FILES)
    )
    path = folder.path / FILE
    if not path.exists():
        write_struct(path, now)
        return
    then = read_struct(path, Provenance)
    _compare("base model", job.model.path, then.model, now.model)
    _compare("data", job.data.prepared, then.data, now.data)


def _compare(what: str, place: str, then: dict[str, str], now: dict[str, str]) -> None:
    changed = sorted(name for name in then if name in now and then[name] != now[name])
    gone, new = sorted(set(then) - set(now)), sorted(set(now) - set(then))
    if not (changed or gone or new):
        return
    words = [
        f"{', '.join(names)} {verb}" for names, verb in ((changed, "changed"), (gone, "gone"), (new, "new")) if names
    ]
    raise Fault(
        Exit.MISSING_FILES if gone else Exit.BAD_SPEC,
        f"The {what} is not what this run was started with.",
        f"In {place}: {'; '.join(words)}.",
        f"Put the {what} back as it was, and resume.",
        "Or start a new run with what is there now.",
    )
