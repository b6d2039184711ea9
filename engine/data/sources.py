"""What is imported as one dataset: a file, several files, a folder of them, or an archive; each part with its format.

Knows where data lies, nothing of what it means.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.core.errors import DataError, StudioError
from engine.data.archives import is_sidecar, members_of, printable
from engine.data.declarations import declared_beside, is_declaration, read_declaration
from engine.data.detect import detect, too_large
from engine.data.nouns import BadRow, Format, Limits, Mapping, TextRows
from engine.data.packing import ZIP, Piece
from engine.spec.prepared import Split

MOST_FILES = 10_000
SIDES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "eval": "validation",
    "test": "test",
    "testing": "test",
}


class Part(msgspec.Struct, frozen=True):
    """A file of the dataset and what it is."""

    piece: Piece
    format: Format


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that becomes one dataset.

    `skipped` are files that could not be read, with their reasons; `declared` is what a declaration says of columns.
    """

    path: Path
    parts: tuple[Part, ...]
    skipped: tuple[BadRow, ...] = ()
    declared: Mapping | None = None

    @property
    def format(self) -> Format:
        """The format of the first part, with the size of all."""
        total = sum(each.format.bytes for each in self.parts)
        return msgspec.structs.replace(self.parts[0].format, bytes=total)

    @property
    def name(self) -> str:
        """The name of the file or folder."""
        return self.path.name or self.path.absolute().name

    def side(self, file: str) -> Split | None:
        """What a file's name says of its rows, where the files' names divide them."""
        return side_of(file) if self.named_splits else None

    @property
    def named_splits(self) -> bool:
        """The files' names divide the rows: one for training and another one."""
        sides = {each.piece.split for each in self.parts}
        return "train" in sides and len(sides - {None}) > 1


def open_source(path: Path | Sequence[Path], limits: Limits, text_rows: TextRows = "auto") -> Source:
    """Find the parts and what each of them is.

    Raises DataError when a file is missing, empty, binary or too large; of several, only when none can be read.
    """
    paths = [path] if isinstance(path, Path) else list(path)
    declared = declared_beside(paths[0]) if len(paths) == 1 else None
    if len(paths) == 1 and is_declaration(paths[0]):
        found = read_declaration(paths[0])
        paths, declared = list(found.paths), found.mapping
    pieces, skipped = _pieces(paths, limits)
    if len(pieces) == 1 and not skipped:
        parts = [Part(pieces[0], detect(pieces[0], limits, text_rows))]
    else:
        parts, unread = _several(pieces, limits, text_rows)
        skipped += unread
    if not parts:
        raise _nothing_in(paths[0], skipped)
    total = sum(each.format.bytes for each in parts)
    if total > limits.refuse_bytes:
        raise too_large(paths[0].name, total, limits)
    whole = paths[0] if len(paths) == 1 else paths[0].parent
    return Source(path=whole, parts=tuple(parts), skipped=tuple(skipped), declared=declared)


def _pieces(paths: list[Path], limits: Limits) -> tuple[list[Piece], list[BadRow]]:
    pieces: list[Piece] = []
    skipped: list[BadRow] = []
    for path in paths:
        if path.is_dir():
            for file in _files_in(path):
                pieces.append(Piece(path=file, name=printable(file.relative_to(path).as_posix())))
        elif _is_archive(path):
            inside, bad = members_of(path, limits)
            pieces += inside
            skipped += bad
        else:
            pieces.append(Piece(path=path, name=printable(path.name)))
    if len(pieces) > 1:
        pieces = [msgspec.structs.replace(each, split=side_of(each.name)) for each in pieces]
    return pieces, skipped


def _is_archive(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == ZIP
    except FileNotFoundError as error:
        raise _missing(path) from error
    except OSError:
        return False  # said properly when it is read


def _files_in(folder: Path) -> list[Path]:
    """Files below a folder that are not hidden and no sidecars; links are not followed."""
    found = [
        each
        for each in sorted(folder.rglob("*"))
        if not each.is_symlink() and each.is_file() and not is_sidecar(each.relative_to(folder).as_posix())
    ]
    if len(found) > MOST_FILES:
        raise DataError(
            f"{folder.name} holds {len(found):,} files.",
            f"A dataset may have up to {MOST_FILES:,}.",
            "Choose a folder that holds only the data.",
        )
    return found


def side_of(name: str) -> Split | None:
    """The side that a file's name (or the folder it lies in) says: `train-00000.parquet`, `test/rows.csv`."""
    for word in re.split(r"[\W_\d]+", name.lower()):
        if word in SIDES:
            return SIDES[word]
    return None


def _several(pieces: list[Piece], limits: Limits, text_rows: TextRows) -> tuple[list[Part], list[BadRow]]:
    parts: list[Part] = []
    skipped: list[BadRow] = []
    for piece in pieces:
        try:
            parts.append(Part(piece, detect(piece, limits, text_rows)))
        except StudioError as error:
            card = error.card
            problem = f"{card.what} {card.why}"
            skipped.append(BadRow(line=1, problem=problem, remedy=card.actions[0].label, file=piece.name))
    return parts, skipped


def _nothing_in(path: Path, skipped: list[BadRow]) -> DataError:
    first = skipped[0] if skipped else None
    return DataError(
        f"{path.name} holds no data that can be read.",
        first.problem if first else "It has no data files: CSV, JSON, JSON lines, Parquet, Arrow or text.",
        first.remedy if first else "Choose a folder or an archive with data files in it.",
        "Choose another file.",
    )


def _missing(path: Path) -> DataError:
    names = [each.name for each in path.parent.iterdir() if each.is_file()][:2000] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, 1)
    hint = f"Did you mean {near[0]}?" if near else "Check the path and its spelling."
    return DataError(f"There is no file {path.name}.", f"Nothing was found at {path}.", hint, "Choose another file.")
