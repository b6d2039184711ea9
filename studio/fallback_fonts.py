"""Letters of other scripts on the served page: Flutter's fallback fonts, from our own files.

For a sign that none of the app's fonts has, Flutter asks for `/assets/fonts/FAMILY/VERSION/NAME.woff2`, and for a slice
of a large family for `NAME.SLICE.woff2`. Our files are `noto/FAMILY/all.woff2` and `noto/FAMILY/SLICE.woff2`.
"""

from __future__ import annotations

import re
from pathlib import Path

from studio.asgi import Send, answer

ADDRESS = "/assets/fonts/noto"
"""What every address of a fallback font begins with."""
ASKED = re.compile(r"/assets/fonts/(noto[a-z0-9]+)/v[0-9]+/[A-Za-z0-9_-]+(?:\.([0-9]+))?\.woff2")
FOR_LONG = b"private, max-age=31536000, immutable"
"""Addresses name the font's version, so that a browser may keep what it got."""


def font_file(fonts: Path, path: str) -> Path | None:
    """Our file for this address. None when there is none."""
    asked = ASKED.fullmatch(path)
    if asked is None:
        return None
    family, slice = asked.groups()
    own = fonts / "noto" / family / f"{slice or 'all'}.woff2"
    return own if own.is_file() else None


async def send_font(send: Send, fonts: Path, path: str) -> None:
    """Answer with our file, or else with Inter: then the sign is a box, and the page shows no error."""
    own = font_file(fonts, path)
    if own is None:
        await answer(send, 200, b"font/ttf", (fonts / "Inter-400.ttf").read_bytes())
    else:
        await answer(send, 200, b"font/woff2", own.read_bytes(), [(b"cache-control", FOR_LONG)])
