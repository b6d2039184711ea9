"""Checkpoints: everything an exact resume needs, in a folder that is complete or not there at all.

    checkpoints/step-N/weights.safetensors    trained parameters
                       optimizer.safetensors  AdamW's step, exp_avg and exp_avg_sq of each, and the loss scale
                       random.safetensors     the state of every generator at the start of step N
                       checkpoint.json        step, state of the loop, environment, and a digest of each file

Written under another name, synced, renamed. No pickle: a checkpoint from elsewhere can be opened without trust.
"""

from __future__ import annotations

import hashlib
import os
import platform
import random
import shutil
from pathlib import Path

import msgspec
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from engine.spec.files import read_struct, rename, sync_folder, write_struct
from engine.spec.records import Live
from engine.worker.group import like
from engine.worker.healing import HealingState

FILES = ("weights.safetensors", "optimizer.safetensors", "random.safetensors")


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What a bit-for-bit resume needs to be the same."""

    torch: str
    transformers: str
    peft: str
    threads: int
    processor: str
    device: str


class LoopState(msgspec.Struct, frozen=True, kw_only=True):
    """What the loop itself has to remember: rates and sizes that were changed on the way, and what it has seen.

    changed: what was set by hand, in place of what was planned. rate_factor: what recoveries left of the rate.
    """

    changed: Live = Live()
    rate_factor: float
    micro_batch: int
    gradient_checkpointing: bool
    healing: HealingState


class CheckpointRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`checkpoint.json`."""

    step: int
    validation_loss: float | None
    loop: LoopState
    environment: Environment
    digests: dict[str, str]


class Damaged(Exception):
    """A checkpoint that is not what was written."""


def environment() -> Environment:
    """This process's versions, threads and processor."""
    from importlib.metadata import version

    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    return Environment(
        torch=str(torch.__version__),
        transformers=version("transformers"),
        peft=version("peft"),
        threads=torch.get_num_threads(),
        processor=processor(),
        device=name,
    )


def processor() -> str:
    """The processor's model name, as far as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()


def save(
    folder: Path,
    step: int,
    weights: dict[str, torch.Tensor],
    moments: dict[str, torch.Tensor],
    *,
    random_state: dict[str, torch.Tensor],
    validation_loss: float | None,
    loop: LoopState,
) -> Path:
    """Write `step-N` under `folder`: weights by name, and the optimizer's tensors with the loss scale.

    Raises OSError; then nothing of it is left and older ones are untouched.
    """
    final, beside = folder / f"step-{step}", folder / f".step-{step}.tmp"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        _write(beside / FILES[0], weights)
        _write(beside / FILES[1], moments)
        _write(beside / FILES[2], random_state)
        record = CheckpointRecord(
            step=step,
            validation_loss=validation_loss,
            loop=loop,
            environment=environment(),
            digests={name: digest(beside / name) for name in FILES},
        )
        write_struct(beside / "checkpoint.json", record)
        if final.exists():
            shutil.rmtree(final)
        rename(beside, final)
        sync_folder(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return final


def _write(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Save and sync one file. safetensors reports a full disk in an error of its own: told apart by its text."""
    from safetensors import SafetensorError

    try:
        save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, path)
    except SafetensorError as error:
        if "No space left" in str(error) or "os error 28" in str(error):
            raise OSError(28, "No space left on device", str(path)) from error
        raise
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def optimizer_tensors(parameters: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimizer's state as named tensors: `<parameter>/<key>`. With several processes they are shards."""
    return {
        f"{name}/{key}": value if isinstance(value, torch.Tensor) else torch.tensor(value)
        for name, parameter in parameters.items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def random_state() -> dict[str, torch.Tensor]:
    """The state of every generator training draws from."""
    state = {"torch": torch.get_rng_state(), "python": _python_state()}
    if torch.cuda.is_available():
        state |= {f"cuda{i}": each for i, each in enumerate(torch.cuda.get_rng_state_all())}
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, torch.Tensor]) -> None:
    """Put the generators back where `random_state` found them; devices that are not here are passed over."""
    torch.set_rng_state(state["torch"])
    _set_python_state(state["python"])
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            if f"cuda{i}" in state:
                torch.cuda.set_rng_state(state[f"cuda{i}"], i)
    if torch.backends.mps.is_available() and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


def _python_state() -> torch.Tensor:
    _version, words, _gauss = random.getstate()
    return torch.tensor(words, dtype=torch.int64)


def _set_python_state(words: torch.Tensor) -> None:
    random.setstate((3, tuple(words.tolist()), None))


def load(
    folder: Path, parameters: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer
) -> tuple[CheckpointRecord, torch.Tensor, dict[str, torch.Tensor]]:
    """Put weights and optimizer state back; returns the record, the loss scale and the generators' states.

    Raises Damaged when a digest, a name or a shape does not match; nothing is changed then.
    """
    record = read_record(folder)
    for name in FILES:
        if digest(folder / name) != record.digests.get(name):
            raise Damaged(f"{folder.name}/{name} is not what was written")
    weights, moments = load_file(folder / FILES[0]), load_file(folder / FILES[1])
    if set(weights) != set(parameters) or any(weights[name].shape != parameters[name].shape for name in weights):
        raise Damaged(f"{folder.name} belongs to another model or method")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(like(weights[name], parameter))
    scale = moments.pop("loss_scale")
    _restore_optimizer(parameters, optimizer, moments)
    return record, scale, load_file(folder / FILES[2])


def _restore_optimizer(
    parameters: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer, moments: dict[str, torch.Tensor]
) -> None:
    by_name: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in moments.items():
        name, _, kind = key.rpartition("/")
        by_name.setdefault(name, {})[kind] = like(value.to(parameters[name].device), parameters[name])
    for name, state in by_name.items():
        optimizer.state[parameters[name]] = state


def read_record(folder: Path) -> CheckpointRecord:
    """The checkpoint's own record. Raises Damaged."""
    try:
        return read_struct(folder / "checkpoint.json", CheckpointRecord)
    except (OSError, msgspec.MsgspecError) as error:
        raise Damaged(f"{folder.name} has no readable record: {error}") from error


def digest(path: Path) -> str:
    """BLAKE2b of a file's bytes. Raises Damaged when it is gone."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise Damaged(f"{path.name} is missing") from error


def rewrite_loop(folder: Path, loop: LoopState) -> None:
    """Give a checkpoint another loop state, atomically; weights and moments stay as they are."""
    write_struct(folder / "checkpoint.json", msgspec.structs.replace(read_record(folder), loop=loop))


def remove(folder: Path) -> None:
    """Delete a checkpoint so that no half of it is ever taken for a whole one."""
    beside = folder.with_name(f".{folder.name}.gone")
    rename(folder, beside)
    shutil.rmtree(beside, ignore_errors=True)


def prune(folders: list[Path], keep: int, stay: list[Path]) -> list[Path]:
    """Delete all but the newest `keep` and those that are to stay; returns what was deleted."""
    doomed = [folder for folder in folders[:-keep] if folder not in stay]
    for folder in doomed:
        shutil.rmtree(folder, ignore_errors=True)
    return doomed
