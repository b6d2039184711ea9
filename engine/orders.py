"""What can be asked of whoever holds a Home: the words of the command line, as structs, and how they are asked.

Knows the inbox and the holder; the answers are made by engine/desk.py.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Literal, TypeVar, get_args

import anyio
import msgspec

from engine.core import inbox
from engine.core.home import Home
from engine.data.nouns import Mapping, SplitPlan, TextRows
from engine.plan.sweep import Over
from engine.serving.leaving import RowsOf
from engine.serving.nouns import Conversation
from engine.spec.exports import Form, Quant
from engine.spec.records import Card, Live
from engine.spec.suite import Check, Pattern, Side

T = TypeVar("T")
KEEPER_RETRY_SECONDS = 3.0


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """Import data files as one dataset; answers with the Dataset."""

    paths: tuple[str, ...]
    name: str = ""
    mapping: Mapping | None = None
    split: SplitPlan | None = None
    text_rows: TextRows = "auto"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A training run in the user's words; engine.plan fills in the rest. `edits` are settings by name, `parent` is the
    version that training goes on from."""

    dataset: str
    model: str = "starter"
    profile: str = ""
    method: str = ""
    objective: str = ""
    name: str = ""
    edits: dict[str, str | int | float | bool] = {}
    parent: str = ""


class MakePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Plan without starting; answers with the Plan."""

    order: Order


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Time the first steps of an order on this machine; answers with the Plan made with that."""

    order: Order


class Train(msgspec.Struct, frozen=True, kw_only=True):
    """Plan and queue; answers with Started."""

    order: Order


class StartSweep(msgspec.Struct, frozen=True, kw_only=True):
    """Plan and queue many runs over the values of some settings; answers with the Sweep.

    `count` draws so many combinations at random from `seed`; 0 takes every one.
    """

    order: Order
    over: tuple[Over, ...]
    count: int = 0
    seed: int = 0
    name: str = ""


class StopSweep(msgspec.Struct, frozen=True, kw_only=True):
    """Take a sweep's waiting runs out of the queue and end those at work; answers with Stopped."""

    sweep: str


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """The runs that were told to stop."""

    runs: tuple[str, ...]


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Give a waiting run another priority (None: the first place); answers with Moved."""

    run: str
    priority: int | None = None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """The run and the priority that it now has."""

    run: str
    priority: int


class Tell(msgspec.Struct, frozen=True, kw_only=True):
    """Pause, resume, resume as the run proposed, stop or save a run; answers with Started naming it."""

    run: str
    verb: Literal["pause", "resume", "accept", "stop", "save"]


class SeeEnding(msgspec.Struct, frozen=True, kw_only=True):
    """Say how far what follows the end of a run is; `again` has a version that could not be kept tried once more.

    Answers with Ending.
    """

    run: str
    again: bool = False


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all that follows the end of a run is done, and why it became no version, if that failed."""

    done: bool
    why: Card | None = None


class Adjust(msgspec.Struct, frozen=True, kw_only=True):
    """Give a run at work other values from its next step on; answers with Started naming it."""

    run: str
    live: Live


class Measuring(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask and to measure beyond the usual: other rows (`dataset` empty: the version's own), at most `rows` of
    them (0: the usual number), and patterns and checks of one's own."""

    dataset: str = ""
    side: Side = "held-out"
    rows: int = 0
    patterns: tuple[Pattern, ...] = ()
    checks: tuple[Check, ...] = ()


class Evaluate(msgspec.Struct, frozen=True, kw_only=True):
    """Queue the evaluation of versions of one base (or of runs' versions); answers with Started."""

    versions: tuple[str, ...]
    measuring: Measuring = Measuring()


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """Queue an export of a version; answers with Started. `quant` empty: the usual one; `into` empty: into the Home."""

    version: str
    form: Form
    quant: Quant | None = None
    into: str = ""


class ListOffers(msgspec.Struct, frozen=True, kw_only=True):
    """Ask in which forms a version can be exported; answers with the Offers."""

    version: str


class RunCapsule(msgspec.Struct, frozen=True, kw_only=True):
    """Verify a capsule and queue its recipe again; answers with Started."""

    path: str


class CareFor(msgspec.Struct, frozen=True, kw_only=True):
    """Use a version, roll a name back to the version before, archive, restore or delete one; answers with Cared."""

    version: str
    verb: Literal["use", "back", "archive", "restore", "delete"]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """Give a version notes or tags in place of those it has (None leaves them); answers with the Version."""

    version: str
    notes: str | None = None
    tags: tuple[str, ...] | None = None


class Cared(msgspec.Struct, frozen=True, kw_only=True):
    """The version that it was done to, the bytes that this freed, and whether there was anything to do."""

    version: str
    title: str
    freed: int = 0
    changed: bool = True


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """Put a version and its base through tasks of lm-evaluation-harness; answers with Started.

    The settings are BenchmarkJob's (engine/spec/runspec.py): without tasks the harness is only installed.
    """

    version: str
    tasks: tuple[str, ...]
    tasks_folder: str = ""
    rows: int | None = None
    few_shot: int | None = None
    chat: bool = False
    online: bool = False


class OpenHost(msgspec.Struct, frozen=True, kw_only=True):
    """See that a model host runs for this base model folder; answers with Started naming its run."""

    model_path: str


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """Keep a conversation as it is now; answers with Conversed."""

    conversation: Conversation


class MakeRows(msgspec.Struct, frozen=True, kw_only=True):
    """Make a dataset of conversations (none named: all); answers with the Dataset."""

    conversations: tuple[str, ...]
    rows: RowsOf
    name: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Rename or delete a conversation, or take its deletion back; answers with Conversed."""

    conversation: str
    verb: Literal["rename", "delete", "restore"]
    title: str = ""


class Conversed(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation that it was done to."""

    conversation: str
    title: str


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """Ask a keeper to give the Home to an app."""


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The run that will do it."""

    run: str


Command = (
    Import
    | MakePlan
    | Probe
    | Train
    | StartSweep
    | StopSweep
    | Move
    | Tell
    | SeeEnding
    | Adjust
    | Evaluate
    | Benchmark
    | RunCapsule
    | CareFor
    | Label
    | Export
    | ListOffers
    | OpenHost
    | Keep
    | MakeRows
    | Change
    | Leave
)
BY_NAME: dict[str, type[Command]] = {each.__name__.lower(): each for each in get_args(Command)}


async def ask(
    home: Home, command: Command, answer: type[T], *, seconds: float = 600.0, told: inbox.Told | None = None
) -> T:
    """Have the holder do something; a keeper is started where nobody holds the Home. Raises StudioError."""
    request = inbox.drop(home.inbox, type(command).__name__.lower(), command)
    found: list[msgspec.Raw] = []

    async def wait() -> None:
        found.append(await inbox.reply_to(home.inbox, request, seconds=seconds, told=told))
        group.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            group.start_soon(_see_to_a_holder, home)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None  # the waiting one's; the other only looks on
    return msgspec.json.decode(found[0], type=answer)


async def _see_to_a_holder(home: Home) -> None:
    """Start a keeper whenever nobody holds the Home; one that is just leaving may have missed the request."""
    started = 0.0
    while True:
        if home.holder() is None and time.monotonic() - started > KEEPER_RETRY_SECONDS:
            start_keeper(home)
            started = time.monotonic()
        await anyio.sleep(0.2)


def start_keeper(home: Home) -> None:
    """Start the small process that holds the Home while something must go on and no app runs."""
    words = [sys.executable, "-P", "-m", "engine.keeper", str(home.path)]
    with (home.logs / "keeper.txt").open("ab") as log:
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
            subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, creationflags=flags)
        else:
            subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=Path("/"), start_new_session=True
            )
