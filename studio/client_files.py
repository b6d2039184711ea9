"""What the served page is loaded from: Flet's client out of its package, and of the app's assets the fonts and icons.

flet_web's own way to a file leads through FastAPI's layers in pieces of 64 KiB, and importing it takes half a second.
So the page is there before: a browser loads the client while the app behind it is still being imported.
"""

from __future__ import annotations

import functools
import mimetypes
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from studio import NAME, fallback_fonts
from studio.asgi import TEXT, Message, Receive, Scope, Send, answer, safe

FONT_MANIFEST, MANIFEST = "/assets/FontManifest.json", "/manifest.json"
DEFAULT = "Roboto"
"""Flutter's own default letters. It would ask a public host for them; they are ours here."""
ICONS = "MaterialIcons"
"""The one family of the client's own that the app shows; the others, signs of mathematics, would all be read first."""
DESCRIPTION = "Fine-tune a language model on your own data, on your own machine."
PIECE = 1 << 20
for kind, suffix in (("text/javascript", ".mjs"), ("application/wasm", ".wasm")):
    mimetypes.add_type(kind, suffix)  # not every Windows knows them


@functools.cache
def client_folder() -> Path:
    """Where Flet's client is on disk. Its package is not imported for that."""
    found = find_spec("flet_web")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "web"


class ClientFiles:
    """The files of Flet's client, and of a folder of assets what is in `fonts` and `icons`; nothing else is there."""

    def __init__(self, assets: Path) -> None:
        self._fonts = assets / "fonts"
        self._assets = assets

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the file at this address, or that there is none."""
        path = str(scope["path"])
        if path.startswith(fallback_fonts.ADDRESS):
            return await fallback_fonts.send_font(send, self._fonts, path)
        if path in (FONT_MANIFEST, MANIFEST):
            words = font_manifest() if path == FONT_MANIFEST else manifest()
            return await answer(send, 200, b"application/json", words)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = safe(message["headers"])
            await send(message)

        from starlette.exceptions import HTTPException

        folder, place = self._place(path)
        try:
            await _files(folder)({**scope, "path": place}, receive, guarded)
        except HTTPException as error:
            await answer(send, error.status_code, TEXT, b"Not found.\n")

    def _place(self, path: str) -> tuple[Path, str]:
        """The folder in which this address is a file, and its path in there."""
        if path == "/favicon.png":
            return self._assets / "icons", path
        if path.startswith("/icons/"):
            return self._assets / "icons", path.removeprefix("/icons")
        name = PurePosixPath(path).name
        if path in (f"/fonts/{name}", f"/assets/fonts/{name}") and (self._fonts / name).is_file():
            return self._fonts, f"/{name}"
        return client_folder(), path


@functools.cache
def _files(folder: Path) -> Any:
    """What sends a folder's files; it answers that a browser's copy is still good, too."""
    from starlette.responses import FileResponse
    from starlette.staticfiles import StaticFiles

    class Files(StaticFiles):
        def file_response(self, *arguments: Any, **named: Any) -> Any:
            response = super().file_response(*arguments, **named)
            if isinstance(response, FileResponse):
                response.chunk_size = PIECE
            return response

    return Files(directory=folder)


@functools.cache
def font_manifest() -> bytes:
    """Flutter's list of fonts with ours in it: they are there before the first word is laid out.

    Fonts that arrive later leave words that were laid out before with the places of other letters.
    """
    from studio.theme import FONTS, SANS

    families = msgspec.json.decode((client_folder() / "assets" / "FontManifest.json").read_bytes())
    kept = [each for each in families if each["family"] == ICONS]
    own = {**FONTS, DEFAULT: FONTS[SANS]}
    kept += [{"family": name, "fonts": [{"asset": path.lstrip("/")}]} for name, path in own.items()]
    return msgspec.json.encode(kept)


@functools.cache
def manifest() -> bytes:
    """What a browser that installs the page as an app is told of it."""
    told = msgspec.json.decode((client_folder() / "manifest.json").read_bytes())
    return msgspec.json.encode({**told, "name": NAME, "short_name": NAME, "description": DESCRIPTION})
