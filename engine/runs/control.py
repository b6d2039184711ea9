"""Telling a worker something: pause, stop, save now, another learning rate; and asking for a new attempt."""

from __future__ import annotations

from engine.core.errors import RunError, from_os
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Control


def tell(
    folder: RunFolder,
    *,
    pause: bool = False,
    stop: bool = False,
    checkpoint: bool = False,
    resume: bool = False,
    accept: bool = False,
    learning_rate: float | None = None,
) -> Control:
    """Write the next wish for the run's current attempt. Raises StudioError when the folder cannot be written."""
    launch, before = folder.launch(), folder.control()
    if launch is None and not (stop or pause):
        raise RunError("This run has not started yet.", "It still waits in the queue.", "Wait until it starts.")
    wish = Control(
        seq=(before.seq if before else 0) + 1,
        attempt=launch.attempt if launch else 0,
        pause=pause,
        stop=stop,
        checkpoint=checkpoint,
        resume=resume,
        accept=accept,
        learning_rate=learning_rate if learning_rate is not None else _kept_rate(before),
    )
    try:
        write_struct(folder.control_file, wish)
    except OSError as error:
        raise from_os(error, "telling the run") from error
    return wish


def _kept_rate(before: Control | None) -> float | None:
    return before.learning_rate if before else None


def wants_attempt(folder: RunFolder) -> bool:
    """Does this run wait for a launch? A created one does, until it is stopped; another one when asked to resume."""
    launch, control = folder.launch(), folder.control()
    if launch is None:
        return not (control and (control.stop or control.pause))
    return control is not None and control.resume and control.attempt == launch.attempt
