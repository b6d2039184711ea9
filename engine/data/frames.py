"""Parquet and Arrow files (IPC files and streams, as Feather and `datasets` write them), read in slices by polars."""

from __future__ import annotations

import base64
import datetime
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.errors import DataError
from engine.data.detect import ARROW_STREAM, cut_off
from engine.data.nouns import Format, JsonValue, Record
from engine.data.packing import Piece, open_bytes

if TYPE_CHECKING:
    import polars

SLICE = 5_000


def read_frame(piece: Piece, format: Format) -> Iterator[Record]:
    """Every row with its number. Raises DataError when the file is cut off or damaged."""
    import polars

    try:
        with _on_disk(piece, format) as path:
            table = _scan(path, format)
            total = table.select(polars.len()).collect().item()
            for start in range(0, total, SLICE):
                for offset, values in enumerate(table.slice(start, SLICE).collect().iter_rows(named=True)):
                    yield Record(start + offset + 1, {name: plain(value) for name, value in values.items()})
    except (polars.exceptions.PolarsError, OSError) as error:
        raise cut_off(piece.name, format.name.capitalize()) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # polars' own, derived from BaseException
            raise DataError(
                f"{piece.name} cannot be read.",
                f"It is a {format.name.capitalize()} file, but its inside is damaged.",
                "Make the file again, or save it as CSV.",
            ) from error
        raise


def _scan(path: Path, format: Format) -> polars.LazyFrame:
    import polars

    if format.name == "parquet":
        return polars.scan_parquet(path, glob=False)
    with path.open("rb") as file:
        stream = file.read(4) == ARROW_STREAM
    return polars.read_ipc_stream(path).lazy() if stream else polars.scan_ipc(path, glob=False)


@contextmanager
def _on_disk(piece: Piece, format: Format) -> Iterator[Path]:
    """The file itself, or a copy of what is packed: these formats are read from their end."""
    if not piece.member and not format.packing:
        yield piece.path
        return
    handle, name = tempfile.mkstemp(suffix=".data")
    try:
        with os.fdopen(handle, "wb") as target, open_bytes(piece, format.packing) as source:
            shutil.copyfileobj(source, target, 1 << 20)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def plain(value: object) -> JsonValue:
    """A cell as JSON has it: times as ISO text, bytes as base64, decimals as text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [plain(each) for each in value]
        case dict():
            return {str(key): plain(each) for key, each in value.items()}
        case bytes():
            return base64.b64encode(value).decode()
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)
