"""Telling a worker something: pause, stop, save now, other values; and asking for a new attempt."""

from __future__ import annotations

from engine.core.errors import RunError, from_os
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import Control, Live
from engine.spec.runspec import Training


def tell(
    folder: RunFolder,
    *,
    pause: bool = False,
    stop: bool = False,
    checkpoint: bool = False,
    resume: bool = False,
    accept: bool = False,
    live: Live | None = None,
) -> Control:
    """Write the next wish for the run's current attempt; what was changed before stays so unless `live` changes it.

    Raises StudioError when the folder cannot be written.
    """
    launch, before = folder.launch(), folder.control()
    if launch is None and not (stop or pause):
        raise RunError("This run has not started yet.", "It still waits in the queue.", "Wait until it starts.")
    changed = Live().with_changes(before or Live()).with_changes(live or Live())
    wish = Control(
        seq=(before.seq if before else 0) + 1,
        attempt=launch.attempt if launch else 0,
        pause=pause,
        stop=stop,
        checkpoint=checkpoint,
        resume=resume,
        accept=accept,
        learning_rate=changed.learning_rate,
        validate_every=changed.validate_every,
        checkpoint_every=changed.checkpoint_every,
    )
    try:
        write_struct(folder.control_file, wish)
    except OSError as error:
        raise from_os(error, "telling the run") from error
    return wish


def values_now(folder: RunFolder, training: Training) -> Live:
    """The values that a run goes by: as its recipe has them, or as they were changed while it was at work."""
    planned = Live(
        learning_rate=training.learning_rate,
        validate_every=training.validate_every,
        checkpoint_every=training.checkpoint_every,
    )
    return planned.with_changes(folder.control() or Live())


def wants_attempt(folder: RunFolder) -> bool:
    """Does this run wait for a launch? A created one does, until it is stopped; another one when asked to resume."""
    launch, control = folder.launch(), folder.control()
    if launch is None:
        return not (control and (control.stop or control.pause))
    return control is not None and control.resume and control.attempt == launch.attempt
