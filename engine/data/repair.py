"""Text that was saved in one encoding and read in another (“Ã©” for “é”): noticed, and undone where that is certain.

Undone are stretches of characters whose cp1252 bytes are UTF-8 of characters above ASCII. What was replaced by
U+FFFD is lost and stays as it is.
"""

from __future__ import annotations

import re

LOST = "\ufffd"
_UNUSED = (129, 141, 143, 144, 157)
"""Bytes that cp1252 leaves open; programs read them as control characters."""
_BYTES = {bytes([value]).decode("cp1252"): value for value in range(128, 256) if value not in _UNUSED}
_BYTES |= {chr(value): value for value in _UNUSED}
_NEXT = f"[{re.escape(''.join(each for each, value in _BYTES.items() if value < 0xC0))}]"
_RUN = re.compile(f"(?:[\u00c2-\u00df]{_NEXT}|[\u00e0-\u00ef]{_NEXT}{{2}}|[\u00f0-\u00f4]{_NEXT}{{3}})+")


def is_damaged(text: str) -> bool:
    """Some characters were lost, or read in the wrong encoding."""
    if text.isascii():
        return False
    return LOST in text or any(_undone(match[0]) != match[0] for match in _RUN.finditer(text))


def repaired(text: str) -> str:
    """The text as it was before it was read in the wrong encoding; also when that happened twice."""
    for _ in range(2):
        mended = _RUN.sub(lambda match: _undone(match[0]), text)
        if mended == text:
            break
        text = mended
    return text


def _undone(run: str) -> str:
    try:
        return bytes(_BYTES[each] for each in run).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return run
