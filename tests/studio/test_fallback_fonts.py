"""Fonts for other scripts, held against the table by which Flutter chooses which one to ask for."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import flet_web
import pytest
from fontTools.ttLib import TTFont

from studio.asgi import Message
from studio.fallback_fonts import FOR_LONG, font_file, send_font
from studio.web import assets_folder

FONTS = assets_folder() / "fonts"
SLICED = ("notocoloremoji", "notosanssc", "notosanstc", "notosanshk", "notosansjp", "notosanskr")
WORDS = {
    "notocoloremoji": "🙂🔊🎃👩🏽💻🇩🇪",
    "notosansarabic": "العربية",
    "notosanshebrew": "עברית",
    "notosansdevanagari": "हिन्दी",
    "notosansbengali": "বাংলা",
    "notosanstamil": "தமிழ்",
    "notosansthai": "ภาษาไทย",
    "notosanskhmer": "ខ្មែរ",
    "notosansethiopic": "አማርኛ",
    "notosansgeorgian": "ქართული",
    "notosansarmenian": "հայերեն",
    "notosanssc": "简体中文",
    "notosanstc": "繁體中文",
    "notosanshk": "廣東話係好靚",
    "notosansjp": "日本語ひらがなカタカナ",
    "notosanskr": "한국어",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@functools.cache
def signs(file: Path) -> frozenset[int]:
    """What a font has a picture for, by its own table."""
    return frozenset(TTFont(file).getBestCmap() or ())


def numbers(packed: str, digits: str, marks: str) -> Iterator[tuple[str, int]]:
    """Flutter's packed numbers: decimal digits, then a letter that is the last digit (of 26) and names the kind."""
    lead = 0
    for sign in packed:
        if sign in digits:
            lead = lead * 10 + int(sign)
        else:
            first = next(mark for mark in marks if mark <= sign <= chr(ord(mark) + 25))
            yield first, lead * 26 + ord(sign) - ord(first)
            lead = 0


@functools.cache
def asked() -> dict[str, frozenset[int]]:
    """Which address Flutter's engine asks for which signs, from the table in the program that browsers run."""
    program = (Path(flet_web.__file__).parent / "web" / "main.dart.js").read_text(encoding="utf-8")
    addresses = re.findall(r'"(noto[a-z0-9]+/v\d+/[\w.-]+\.woff2)"', program)
    (sets,) = re.findall(r'"(,[0-9a-z,]{3000,})"', program)
    (ranges,) = re.findall(r'"([0-9a-zA-Z]{3000,})"', program)
    choices = []
    for packed in sets.split(","):
        last, fonts = -1, []
        for _, step in numbers(packed, "0123456789", "a"):
            last += step + 1
            fonts.append(addresses[last])
        choices.append(fonts)
    found: dict[str, set[int]] = {}
    start, size = 0, 1
    for kind, number in numbers(ranges, "0123456789", "aA"):
        if kind == "a":
            size = number + 2
            continue
        for address in choices[number]:
            found.setdefault(f"/assets/fonts/{address}", set()).update(range(start, start + size))
        start, size = start + size, 1
    assert start == 0x110000  # every sign there is
    return {address: frozenset(each) for address, each in found.items()}


def family(address: str) -> str:
    return address.split("/")[3]


def lacking(address: str) -> frozenset[int]:
    """Signs that Flutter asks this address for, as Inter lacks them."""
    return asked()[address] - signs(FONTS / "Inter-400.ttf")


def test_every_slice_that_flutter_can_ask_for_has_its_signs() -> None:
    slices = [each for each in asked() if family(each) in SLICED and lacking(each) - {0xAD, 0x2074, 0x2215}]
    assert len(slices) > 500
    for address in slices:
        file = font_file(FONTS, address)
        assert file is not None and lacking(address) <= signs(file), address


def test_a_whole_family_has_nearly_every_sign_that_only_it_has() -> None:
    whole = [each for each in asked() if family(each) not in SLICED and font_file(FONTS, each)]
    assert {family(each) for each in whole} == {each.name for each in (FONTS / "noto").iterdir()} - set(SLICED)
    held = Counter(sign for has in asked().values() for sign in has)
    for address in whole:
        only = {sign for sign in lacking(address) if held[sign] == 1}
        file, share = font_file(FONTS, address), 0.9 if family(address) == "notosans" else 0.99
        assert file is not None and len(only & signs(file)) >= share * len(only), address


@pytest.mark.parametrize("name,words", WORDS.items())
def test_words_are_covered_by_each_of_our_files_that_flutter_may_choose(name: str, words: str) -> None:
    for sign in map(ord, words):
        files = [file for address in asked() if sign in lacking(address) and (file := font_file(FONTS, address))]
        assert name in {file.parent.name for file in files}
        assert all(sign in signs(file) for file in files), chr(sign)


def test_every_file_is_one_that_flutter_asks_for_and_has_its_licence_beside_it() -> None:
    reached = {font_file(FONTS, address) for address in asked()}
    for folder in (FONTS / "noto").iterdir():
        assert set(folder.glob("*.woff2")) <= reached
        assert "SIL OPEN FONT LICENSE" in (folder / "LICENSE.txt").read_text(encoding="utf-8").upper()
    assert sum(file.stat().st_size for file in (FONTS / "noto").rglob("*") if file.is_file()) < 19_000_000


@pytest.mark.parametrize(
    "path",
    [
        "/assets/fonts/notosanssc/v37/x.9999.woff2",
        "/assets/fonts/notosanssc/v37/x.woff2",  # the slice with Latin letters: Inter's
        "/assets/fonts/notocoloremoji/v32/x.12.woff2",
        "/assets/fonts/notosansklingon/v1/x.woff2",
        "/assets/fonts/noto/../notosansarabic/v1/x.woff2",
        "/assets/fonts/notosansarabic/v1/../../x.woff2",
        "/assets/fonts/notosansarabic/v28/x.woff2\n",
        "/assets/fonts/notosansarabic/v28/..\\all.woff2",
        "/assets/fonts/notosansarabic/all.woff2",
        "/assets/fonts/notosanssc/v37/x../../119.woff2",
        "/assets/fonts/notosanssc/v37/x.١١٩.woff2",
        "/assets/fonts/notosansarabic/LICENSE.txt",
    ],
)
@pytest.mark.anyio
async def test_what_we_have_not_is_answered_with_inter(path: str) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    assert font_file(FONTS, path) is None
    await send_font(send, FONTS, path)
    headers = dict(sent[0]["headers"])
    assert sent[0]["status"] == 200 and headers[b"content-type"] == b"font/ttf"
    assert headers[b"cache-control"] == b"no-store"  # a later release may have the slice
    assert sent[1]["body"] == (FONTS / "Inter-400.ttf").read_bytes()


@pytest.mark.anyio
async def test_a_font_may_be_kept_and_says_what_it_is() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await send_font(send, FONTS, "/assets/fonts/notosanshebrew/v46/or3H_Q7-v3.woff2")
    assert [value for name, value in sent[0]["headers"] if name == b"cache-control"] == [FOR_LONG]
    assert (b"content-type", b"font/woff2") in sent[0]["headers"]
    assert sent[1]["body"][:4] == b"wOF2"


@pytest.mark.parametrize("way", ["notox/../../outside", "notox/..", "notox\\..\\..\\outside", "notox/./", "NOTOX"])
def test_no_address_leaves_its_folder(tmp_path: Path, way: str) -> None:
    for folder in ("noto/notox", "outside", "noto"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "all.woff2").write_bytes(b"wOF2")
    assert font_file(tmp_path, "/assets/fonts/notox/v1/x.woff2") == tmp_path / "noto" / "notox" / "all.woff2"
    assert font_file(tmp_path, f"/assets/fonts/{way}/v1/x.woff2") is None
