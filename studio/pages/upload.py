"""Choosing a file: the system's own dialog in a window, an upload to this machine in a browser."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import flet as ft

from engine.core.errors import DataError
from engine.core.settings import Settings
from studio.uploads import room

URL_SECONDS = 600
ENDINGS = ("csv", "tsv", "json", "jsonl", "parquet", "txt", "gz")


class Uploads:
    """One picker of a session, and the end of the upload it is busy with."""

    def __init__(self) -> None:
        self.picker = ft.FilePicker(on_upload=self._progress)
        self._done = anyio.Event()
        self._error = ""

    def _progress(self, event: Any) -> None:
        if event.error:
            self._error = str(event.error)
            self._done.set()
        elif event.progress is not None and event.progress >= 1.0:
            self._done.set()

    async def choose(
        self, home: Path, settings: Settings, *, confined: bool, endings: Sequence[str] = ENDINGS
    ) -> Path | None:
        """The chosen file as a path on this machine; None when nothing was chosen. Raises StudioError.

        A `confined` page uploads in any case: the path of a file is what a browser says it is.
        """
        chosen = await self.picker.pick_files(allowed_extensions=list(endings), file_type=ft.FilePickerFileType.CUSTOM)
        if not chosen:
            return None
        file = chosen[0]
        if file.path and not confined:
            return Path(file.path)
        await anyio.to_thread.run_sync(room, home, settings)
        return await self._upload(file, home / "uploads")

    async def _upload(self, file: ft.FilePickerFile, uploads: Path) -> Path:
        """A folder of its own for every upload, so that no name can meet another."""
        place = f"{secrets.token_hex(8)}/{safe_name(file.name)}"
        self._done, self._error = anyio.Event(), ""
        url = ft.context.page.get_upload_url(place, URL_SECONDS)
        await self.picker.upload([ft.FilePickerUploadFile(upload_url=url, method="PUT", id=file.id, name=file.name)])
        with anyio.move_on_after(URL_SECONDS):
            await self._done.wait()
        if self._error or not (uploads / place).exists():
            raise DataError(
                f"“{file.name}” could not be taken over from the browser.",
                self._error or "The upload did not finish.",
                "Try again, or paste the rows themselves.",
            )
        return uploads / place


def safe_name(name: str) -> str:
    """The last part of a file's name, without anything a path could be made of."""
    return re.sub(r"[^\w.\- ]", "_", Path(name.replace("\\", "/")).name).strip(". ") or "data"
