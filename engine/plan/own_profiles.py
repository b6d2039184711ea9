"""Profiles that a user adds: one JSON file each in the Home, checked like those of the product when it is read."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from engine.core.errors import PlanError, StorageError, from_os
from engine.plan.methods import method_facts
from engine.plan.profiles import Profile, offer, shipped
from engine.spec.files import encode, write_atomically

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
LARGEST = 100_000
"""Bytes of a profile's file."""


class OwnProfiles:
    """The profiles in one folder. Adding and removing is seen by every plan made afterwards in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[tuple[str, int], ...] | None = None

    def refresh(self) -> None:
        """Offer what is in the folder now; files that cannot be used are left out (`problems` says which)."""
        seen = tuple((path.name, path.stat().st_mtime_ns) for path in self._files())
        if seen != self._seen:
            self._seen = seen
            found, _ = self._read()
            offer(found)

    def problems(self) -> tuple[str, ...]:
        """Files that cannot be used, each with the reason."""
        return self._read()[1]

    def add(self, path: Path) -> Profile:
        """Take a profile from a file; one of the same id that was added before is replaced. Raises PlanError."""
        found = read_profile(path)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._folder / f"{found.id}.json", encode(found))
        except OSError as error:
            raise from_os(error, "keeping the profile") from error
        self.refresh()
        return found

    def remove(self, wanted: str) -> None:
        """Delete one. Raises PlanError when there is none of this id."""
        path = self._folder / f"{wanted}.json"
        if not ID.fullmatch(wanted) or not path.is_file():
            names = ", ".join(each.stem for each in self._files()) or "none"
            raise PlanError(f"There is no profile of your own called “{wanted}”.", f"Yours are: {names}.", "Check it.")
        path.unlink()
        self.refresh()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))

    def _read(self) -> tuple[tuple[Profile, ...], tuple[str, ...]]:
        found, problems = list[Profile](), list[str]()
        for path in self._files():
            try:
                found.append(read_profile(path))
            except (PlanError, StorageError) as error:
                problems.append(f"{path.name}: {error.card.why}")
        return tuple(found), tuple(problems)


def read_profile(path: Path) -> Profile:
    """A profile from a JSON file, checked. Raises PlanError that names what is wrong, or StorageError."""
    try:
        if path.stat().st_size > LARGEST:
            raise _refused(path, f"It has more than {LARGEST:,} bytes.")
        found = msgspec.json.decode(path.read_bytes(), type=Profile)
    except OSError as error:
        raise from_os(error, "reading the profile") from error
    except msgspec.MsgspecError as error:
        raise _refused(path, f"{error}.") from error
    if not ID.fullmatch(found.id):
        raise _refused(path, f"Its id “{found.id}” may have small letters, digits and hyphens only.")
    if found.id in {each.id for each in shipped()}:
        raise _refused(path, f"“{found.id}” is a profile of the product. Choose another id.")
    method_facts(found.dials.method)
    return found


def _refused(path: Path, why: str) -> PlanError:
    return PlanError(
        f"{path.name} is not a profile that can be used.",
        why,
        "Begin with `peft-studio profile show chatbot --json`, and change what you need.",
    )
