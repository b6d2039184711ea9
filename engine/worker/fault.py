"""How a worker ends when it cannot go on: a card for the person and an exit code for the launcher."""

from __future__ import annotations

import errno

from engine.spec.exits import Exit
from engine.spec.prepared import PreparedDamaged
from engine.spec.records import Action, Card


class Fault(Exception):
    """The run ends here, for a reason a person can be told."""

    def __init__(self, exit_code: Exit, what: str, why: str, *actions: str | Action, help: str = "troubleshooting"):
        super().__init__(what)
        self.exit_code = exit_code
        labelled = tuple(Action(label=each) if isinstance(each, str) else each for each in actions)
        self.card = Card(what=what, why=why, actions=labelled, help=help, code=exit_code.name.lower())


def fault_from(error: BaseException, doing: str = "The run") -> Fault:
    """The fault behind any exception that ended a run."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return disk_full()
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return out_of_memory()
    if type(error).__name__ == "AcceleratorError" or "CUDA error" in str(error):
        return device_gone(str(error).splitlines()[0])
    if isinstance(error, ImportError):
        return Fault(
            Exit.MISSING_LIBRARY,
            f"A training library is missing: {error.name or error}.",
            "Training runs in its own process, which needs torch, transformers and peft.",
            "Run `python3 build/run.py`, or `pip install peft-studio[train]`.",
            "Then resume the run.",
        )
    if isinstance(error, FileNotFoundError):
        return Fault(
            Exit.MISSING_FILES,
            "A file that the run needs is gone.",
            f"{error.filename} was not found.",
            "Put it back, or import the data and choose the model again.",
            "Then resume the run.",
        )
    if isinstance(error, PreparedDamaged):
        return Fault(
            Exit.BAD_DATA,
            "The prepared data is damaged.",
            f"{error}.",
            "Delete the Home's `prepared` folder; it is made again from the dataset.",
            "Then plan the run again.",
        )
    return Fault(
        Exit.CRASHED,
        f"{doing} stopped because of an unexpected error.",
        f"{type(error).__name__}: {str(error).splitlines()[0][:300] if str(error) else 'no further words'}",
        Action(label="Resume from the last checkpoint.", do="resume"),
        "Open the run's log; its last lines say more.",
    )


def device_gone(words: str) -> Fault:
    return Fault(
        Exit.CRASHED,
        "The GPU stopped answering.",
        f"{words[:200]}. It was reset, fell out of its slot or its driver failed; the last checkpoint is kept.",
        Action(label="Resume from the last checkpoint.", do="resume"),
        "If it happens again, restart the machine and look at its power supply and temperature.",
    )


def disk_full() -> Fault:
    return Fault(
        Exit.DISK_FULL,
        "The disk is full.",
        "There was no space to save the run's state. The last complete checkpoint is kept; the run goes on from it.",
        "Free some space, or delete runs and versions you no longer need.",
        Action(label="Resume the run.", do="resume"),
    )


def out_of_memory() -> Fault:
    return Fault(
        Exit.OUT_OF_MEMORY,
        "There was not enough memory for this run.",
        "Even one example at a time did not fit.",
        "Choose QLoRA, or a shorter context length.",
        "Close other programs that use memory, then resume.",
    )
