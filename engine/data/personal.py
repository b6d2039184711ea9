"""Personal data and secrets in text: found by their form and, where there is one, their checksum; and redacted.

E-mail addresses, telephone numbers, IBANs (ISO 7064 mod 97), payment cards (Luhn), keys of well-known services and
private key blocks. Names and addresses of people are not looked for. Every pattern reads a text in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

Kind = Literal["email", "phone", "iban", "card", "key"]

SECRET_WORDS = (
    *("ghp", "gho", "ghu", "ghs", "ghr", "github", "sk", "hf", "xoxb", "xoxp", "xoxa", "xoxr", "xoxs", "glpat"),
)
"""A key of these services begins with this word."""
SECRET_HEADS = ("akia", "asia", "aiza")
"""A key of these services is one word that begins so."""
_EXAMPLES = re.compile(r"@(?:[\w-]+\.)*example\.(?:com|org|net)$", re.IGNORECASE)
_CARD_RANGES = re.compile(r"4|5[1-5]|2[2-7]|3[47]|35|6011|65|64[4-9]|62")


class Found(NamedTuple):
    """What was found and where."""

    kind: Kind
    start: int
    end: int


def _real_address(text: str) -> bool:
    return not _EXAMPLES.search(text)


def _digits(text: str) -> str:
    return "".join(each for each in text if each.isdigit())


def _phone_length(text: str) -> bool:
    return 8 <= len(_digits(text)) <= 15


def iban_holds(text: str) -> bool:
    """The checksum of an IBAN is right."""
    compact = text.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(each, 36)) for each in turned)) % 97 == 1


def card_holds(text: str) -> bool:
    """The number begins as payment cards do and its Luhn checksum is right."""
    digits = _digits(text)
    if not 13 <= len(digits) <= 19 or not _CARD_RANGES.match(digits) or len(set(digits)) < 2:
        return False
    doubled = [int(each) * (2 if place % 2 else 1) for place, each in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def _always(text: str) -> bool:
    return True


_NUMBERS: tuple[tuple[Kind, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), iban_holds),
    ("card", re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d-])"), card_holds),
    (
        "phone",
        re.compile(
            r"(?<![\w.,/+-])(?<!\d )(?:(?:\+|00)[1-9]\d{0,2}[ ./-]?"
            r"(?:\(\d{1,4}\)[ ./-]?)?\d{1,5}(?:[ ./-]?\d{2,8}){1,4}"
            r"|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4}|0\d{2,4}[ /-]\d{5,8})(?![\w-])"
        ),
        _phone_length,
    ),
)
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,5}\.[A-Za-z]{2,24}\b"
)
_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:[^-]{0,20000}-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|\b(?:A[KS]IA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{50,255}"
    r"|sk-[A-Za-z0-9_-]{20,255}|sk_live_[A-Za-z0-9]{16,255}|hf_[A-Za-z0-9]{30,255}|xox[abprs]-[A-Za-z0-9-]{10,255}"
    r"|AIza[0-9A-Za-z_-]{35}|glpat-[A-Za-z0-9_-]{20,255})(?![A-Za-z0-9])"
)


def personal_in(text: str, *, numbers: bool = True) -> Iterator[Found]:
    """Personal data; with `numbers` off only e-mail addresses are looked for."""
    if "@" in text:
        yield from _matches("email", _ADDRESS, _real_address, text)
    if numbers:
        for kind, pattern, holds in _NUMBERS:
            yield from _matches(kind, pattern, holds, text)


def secrets_in(text: str) -> Iterator[Found]:
    """Keys and private key blocks."""
    return _matches("key", _KEY, _always, text)


def _matches(kind: Kind, pattern: re.Pattern[str], holds: Callable[[str], bool], text: str) -> Iterator[Found]:
    for match in pattern.finditer(text):
        if holds(match[0]):
            yield Found(kind, match.start(), match.end())


def redacted(text: str) -> str:
    """The text with every finding replaced by its kind in brackets, such as [EMAIL]."""
    found = sorted((*secrets_in(text), *personal_in(text)), key=lambda each: (each.start, -each.end))
    pieces: list[str] = []
    at = 0
    for each in found:
        if each.start >= at:
            pieces += (text[at : each.start], f"[{each.kind.upper()}]")
            at = each.end
    return "".join((*pieces, text[at:]))
