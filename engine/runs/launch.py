"""Starting a worker: a new process session, so that it outlives whoever started it, with the run folder as its place.

The same words on every machine: `<python> -P -m engine.worker <run_dir>`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import engine
from engine.core.errors import LibraryError, StudioError, from_os
from engine.runs.process import started_at
from engine.spec import ring
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Action, LaunchRecord
from engine.spec.runspec import RunSpec, validated

NEEDED = ("torch", "transformers", "peft", "safetensors")
FIRST_EVENT_SECONDS = 60.0


def interpreter() -> str:
    """The Python that runs workers: this one, when it has the training libraries. Raises LibraryError."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise LibraryError(
            "The training libraries are not installed.",
            f"Training needs {', '.join(missing)}; everything else works without.",
            Action(label="Run `python3 build/run.py` once while online."),
            "Or `pip install 'peft-studio[train]'` into this environment.",
            help="install",
        )
    return sys.executable


def create(runs: Path, spec: RunSpec) -> RunFolder:
    """Make a run's folder with its spec and an empty ring; it is `created` and waits. Raises StudioError."""
    folder = RunFolder(runs / spec.id)
    try:
        folder.path.mkdir(parents=True)
        ring.create(folder.ring_file)
        write_struct(folder.spec_file, validated(spec))  # last: a folder without a spec is no run
    except OSError as error:
        raise from_os(error, "making the run's folder") from error
    return folder


def remove_run(folder: RunFolder) -> None:
    """Delete a run's folder; its spec goes first, so that half of it is no run. Raises OSError."""
    folder.spec_file.unlink(missing_ok=True)
    shutil.rmtree(folder.path)


def launch(folder: RunFolder) -> tuple[subprocess.Popen[bytes], LaunchRecord]:
    """Start the run's next attempt. Raises StudioError.

    `launch.json` is written before the process starts, for the attempt's number, and again with the process in it.
    """
    spec = folder.spec()
    python = interpreter()
    previous = folder.launch()
    record = LaunchRecord(
        attempt=previous.attempt + 1 if previous else 0,
        pid=0,
        process_started=0.0,
        host=os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", ""),
        time=time.time(),
        threads=spec.threads,
    )
    try:
        write_struct(folder.launch_file, record)
        process = _start(python, folder, spec.threads, spec.processes)
        record = _with_process(record, process.pid)
        write_struct(folder.launch_file, record)
    except OSError as error:
        raise from_os(error, "starting the worker") from error
    return process, record


def _with_process(record: LaunchRecord, pid: int) -> LaunchRecord:
    return LaunchRecord(
        attempt=record.attempt,
        pid=pid,
        process_started=started_at(pid),
        host=record.host,
        time=record.time,
        threads=record.threads,
    )


def command_line(python: str, folder: RunFolder, processes: int) -> list[str]:
    """The words that start a worker. Several processes are torchrun's: on more than one machine, the same words with
    `--nnodes N --rdzv-backend c10d --rdzv-endpoint HOST:PORT` before `-m`, on each of them, over one shared folder.
    """
    alone = [python, "-P", "-m"]
    if processes > 1:
        alone += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    return [*alone, "engine.worker", str(folder.path)]


def _start(python: str, folder: RunFolder, threads: int, processes: int) -> subprocess.Popen[bytes]:
    words, environment = command_line(python, folder, processes), worker_environment(threads)
    with folder.log_file.open("ab") as log:
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
            return subprocess.Popen(
                words, cwd=folder.path, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                creationflags=flags,
            )  # fmt: skip
        return subprocess.Popen(
            words, cwd=folder.path, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def worker_environment(threads: int) -> dict[str, str]:
    """The worker's environment: threads pinned before any library counts cores, no network, our engine importable."""
    here = str(Path(engine.__file__).parents[1])
    return os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        # Threads that wait for each other soon sleep instead of spinning on (GNU's OpenMP, then Intel's and LLVM's).
        # Two runs at once on two cores: 4,300 ms a step with the default, 285 ms so; alone it costs nothing.
        "GOMP_SPINCOUNT": "1000",
        "KMP_BLOCKTIME": "1",
        # Large tensors go back to the system when they are freed, instead of leaving holes in glibc's heap: a 1.2 GB
        # model needed 2.6 GB instead of 4.6 with QLoRA, 3.5 instead of 4.3 with LoRA. Large pages make up for the cost.
        # What is smaller is kept for the next step, instead of being given back and asked for again.
        "MALLOC_MMAP_THRESHOLD_": str(4 * 2**20),
        "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20),
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        # oneDNN and what binds it to PyTorch keep compiled code for each shape of a product, and rows bring ever new
        # shapes: with their usual 1,024 the sample's run took 1.8 GB, with 16, as many as a step has, 0.7.
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16",
        "LRU_CACHE_CAPACITY": "16",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",  # what -P says, for the processes that torchrun starts
        "PYTHONUTF8": "1",
        "PYTHONPATH": here,
    }


def starting_problem(folder: RunFolder, record: LaunchRecord) -> StudioError | None:
    """The error of a worker that gave no sign of life within 60 s of its launch."""
    if time.time() - record.time < FIRST_EVENT_SECONDS or folder.state().attempt == record.attempt:
        return None
    return StudioError(
        "The worker did not start.",
        f"It said nothing within {FIRST_EVENT_SECONDS:.0f} seconds.",
        "Open the run's log.",
        Action(label="Try again.", do="resume"),
    )
