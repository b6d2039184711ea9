"""The Home: the user's data folder, its lock, and the inbox through which commands reach whoever holds it.

    home.json  home.lock  holder.json  index.duckdb  settings.json  accounts.json  calibration.json
    conversations.jsonl  drafts.jsonl
    logs/  runs/  datasets/  prepared/  versions/  answers/  exports/  capsules/  models/  inbox/  sweeps/

A Home has one holder at a time. The lock is the operating system's (it goes with the process, also after kill -9);
`holder.json` says who holds it, for the message that the second one gets.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import IO

import msgspec

from engine.core.errors import HomeError, HomeHeld, from_os
from engine.spec.files import read_struct, write_struct

FORMAT = 1
FOLDERS = ("logs", "runs", "datasets", "prepared", "versions", "models", "inbox", "environments")


class HomeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`home.json`."""

    format: int
    made: float


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the Home: its process, and whether it is the app or the keeper."""

    pid: int
    role: str
    since: float


def default_path() -> Path:
    """PEFT_STUDIO_HOME, or the platform's place for an app's data."""
    if named := os.environ.get("PEFT_STUDIO_HOME"):
        return Path(named).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "PEFT Studio"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "PEFT Studio"
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "peft-studio"


class Home:
    """Folders of a Home. Reading needs no lock; `Lock` is for the holder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs = path / "runs"
        self.datasets = path / "datasets"
        self.prepared = path / "prepared"
        self.versions = path / "versions"
        self.answers = path / "answers"
        self.exports = path / "exports"
        self.models = path / "models"
        self.profiles = path / "profiles"
        self.inbox = path / "inbox"
        self.logs = path / "logs"
        self.environments = path / "environments"
        self.database = path / "index.duckdb"
        self.settings = path / "settings.json"
        self.lock_file = path / "home.lock"

    @classmethod
    def open(cls, path: Path | None = None) -> Home:
        """Make what is missing. Raises HomeError when the folder cannot be written or is of a newer version."""
        home = cls((path or default_path()).absolute())
        try:
            for name in FOLDERS:
                (home.path / name).mkdir(parents=True, exist_ok=True)
            home._mark()
        except OSError as error:
            raise _unusable(home.path, error) from error
        return home

    def _mark(self) -> None:
        marker = self.path / "home.json"
        if not marker.exists():
            write_struct(marker, HomeRecord(format=FORMAT, made=time.time()))
        elif read_struct(marker, HomeRecord).format > FORMAT:
            raise HomeError(
                f"The Home at {self.path} was made by a newer version of PEFT Studio.",
                "This version could misread what is in it.",
                "Update PEFT Studio.",
                "Or choose another Home with --home.",
            )
        probe = self.path / f".writable-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()

    def holder(self) -> Holder | None:
        """Who holds the Home now, or None. Looks at the lock, not only at the note in it."""
        try:
            with self.lock_file.open("r+b") as file:
                if _try_lock(file):
                    _unlock(file)
                    return None
                return _read_holder(self.lock_file)
        except FileNotFoundError:
            return None
        except PermissionError:  # Windows refuses to open what another process has locked
            return _read_holder(self.lock_file)


class Lock:
    """Holding a Home, from construction to `release`. Raises HomeHeld when another process does."""

    def __init__(self, home: Home, role: str) -> None:
        self._home = home
        self._file = _open_lock(home)
        if not _try_lock(self._file):
            self._file.close()
            raise _held(home)
        write_struct(_note(home.lock_file), Holder(pid=os.getpid(), role=role, since=time.time()))

    def release(self) -> None:
        """Let another process have the Home."""
        _note(self._home.lock_file).unlink(missing_ok=True)
        _unlock(self._file)
        self._file.close()


def _note(lock_file: Path) -> Path:
    """The file beside the lock that says who holds it (a locked file cannot be read by others on Windows)."""
    return lock_file.with_name("holder.json")


def _read_holder(lock_file: Path) -> Holder:
    try:
        return read_struct(_note(lock_file), Holder)
    except (OSError, msgspec.MsgspecError):
        return Holder(pid=0, role="app", since=0.0)


def _open_lock(home: Home) -> IO[bytes]:
    try:
        return home.lock_file.open("a+b")
    except OSError as error:
        raise _unusable(home.path, error) from error


def _try_lock(file: IO[bytes]) -> bool:
    """Take the operating system's lock on the first byte without waiting."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _unlock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_UN)


def _held(home: Home) -> HomeHeld:
    holder = _read_holder(home.lock_file)
    return HomeHeld(
        f"The Home at {home.path} is in use by another PEFT Studio ({holder.role}, process {holder.pid}).",
        "Only one process may write to a Home at a time.",
        "Use the window or page that is already open.",
        "Or close it first; commands such as `peft-studio train` work while it is open.",
    )


def _unusable(path: Path, error: OSError) -> HomeError:
    return HomeError(
        f"The Home at {path} cannot be used.",
        from_os(error, "opening the Home").card.why,
        "Make the folder writable for you.",
        "Or choose another one with --home or PEFT_STUDIO_HOME.",
        help="home",
    )


def given_path(words: str) -> Path:
    """A path as people write it, made absolute."""
    return Path(words).expanduser().absolute()
