"""What was written for a person: where it is on this machine, or, on another one, a button that fetches it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flet as ft

from studio.downloads import OFFERED, name_of
from studio.hooks import use_surroundings
from studio.kit import CodeBlock, body, component, secondary
from studio.theme import S2


@component
def Written(path: str) -> Any:
    """A file or folder that the app wrote."""
    if use_surroundings().confined:
        return fetch_button(Path(path))
    return CodeBlock(path, "the path", most=2)


def fetch_button(path: Path) -> ft.Control:
    """Its name, and the button that brings it to the browser."""

    async def fetch() -> None:
        await download(path)

    name = body(name_of(path), max_lines=1, overflow=ft.TextOverflow.ELLIPSIS, expand=True)
    return ft.Row([name, secondary("Download", fetch, icon=ft.Icons.DOWNLOAD)], spacing=S2)


async def download(path: Path) -> None:
    """Let this page's browser fetch a file or folder. Call it from an event handler."""
    await ft.UrlLauncher().launch_url(OFFERED.offer(path), web_only_window_name="_self")
