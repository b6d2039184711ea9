"""Which rows are held out: 80 to 20, seeded, with rows that say the same on one side.

A pure function of the rows' content hashes and the seed; the order of the rows does not matter.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence

from engine.data.nouns import Row
from engine.spec.prepared import Split

HELD_OUT = 0.2


def content_hash(row: Row) -> bytes:
    """The same for rows that differ only in case, white space or how a character is composed."""
    digest = hashlib.blake2b(digest_size=16)
    for role, text in (("text", row.text), *((each.role, each.content) for each in row.messages)):
        plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
        digest.update(f"{role}\x1f{plain}\x1e".encode())
    return digest.digest()


def split_rows(hashes: Sequence[bytes], seed: int) -> tuple[Split, ...]:
    """The side of each row. Equal hashes share a side; with two or more different ones no side is empty."""
    sizes = Counter(hashes)
    order = sorted(sizes, key=lambda each: hashlib.blake2b(each, digest_size=16, key=str(seed).encode()).digest())
    wanted = max(1, round(len(hashes) * HELD_OUT))
    held: set[bytes] = set()
    count = 0
    for each in order:
        if count < wanted and count + sizes[each] <= wanted:
            held.add(each)
            count += sizes[each]
    if not held and len(order) > 1:
        held.add(min(order, key=lambda each: sizes[each]))
    if len(held) == len(order):  # one single group
        held.clear()
    return tuple("validation" if each in held else "train" for each in hashes)
