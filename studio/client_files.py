"""The files of Flet's client on the served page, from its package: in large pieces, and only fonts that are used.

flet_web's own way to a file leads through FastAPI's layers in pieces of 64 KiB: a fifth of a second for the client.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec

from studio.asgi import Message, Receive, Scope, Send, answer, safe

PROGRAM = "/main.dart."
"""What the address of the client's program begins with; it is the largest file and the last before the fonts."""
FOLDERS = (PROGRAM, "/canvaskit/", "/assets/packages/")
MANIFEST = "/assets/FontManifest.json"
ICONS = "MaterialIcons"
"""The one family of the client's own that the app shows; the others, signs of mathematics, would all be read first."""
PIECE = 1 << 20


def owns(path: str) -> bool:
    """Whether this address is a file of the client."""
    return path == MANIFEST or path.startswith(FOLDERS)


async def send_file(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a file of the client, or that there is none."""
    if scope["path"] == MANIFEST:
        return await answer(send, 200, b"application/json", font_manifest())

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = safe(message["headers"])
        await send(message)

    from starlette.exceptions import HTTPException

    try:
        await _files()(scope, receive, guarded)
    except HTTPException as error:
        await answer(send, error.status_code, b"text/plain; charset=utf-8", b"Not found.\n")


@functools.cache
def _folder() -> Path:
    import flet_web

    return Path(flet_web.__file__).parent / "web"


@functools.cache
def _files() -> Any:
    """What sends the client's files; it answers that a browser's copy is still good, too."""
    from starlette.responses import FileResponse
    from starlette.staticfiles import StaticFiles

    class Files(StaticFiles):
        def file_response(self, *arguments: Any, **named: Any) -> Any:
            response = super().file_response(*arguments, **named)
            if isinstance(response, FileResponse):
                response.chunk_size = PIECE
            return response

    return Files(directory=_folder())


@functools.cache
def font_manifest() -> bytes:
    """Flutter's list of fonts with ours in it: they are there before the first word is laid out.

    Fonts that arrive later leave words that were laid out before with the places of other letters.
    """
    from studio.theme import FONTS

    families = msgspec.json.decode((_folder() / "assets" / "FontManifest.json").read_bytes())
    kept = [each for each in families if each["family"] == ICONS]
    kept += [{"family": name, "fonts": [{"asset": path.lstrip("/")}]} for name, path in FONTS.items()]
    return msgspec.json.encode(kept)
