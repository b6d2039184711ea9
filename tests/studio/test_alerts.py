"""The desktop's own notices: words stay words on every platform, and a desktop that cannot be told is no error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio import alerts
from studio.alerts import LONGEST, Order, order

pytestmark = pytest.mark.anyio
EVIL = '"; rm -rf / $(x) `y` <b>&\n-h'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@given(title=st.text(), words=st.text())
def test_words_are_arguments_or_environment_and_never_part_of_a_program(platform: str, title: str, words: str):
    plain = order(platform, "a", "b")
    evil = order(platform, EVIL + title, EVIL + words)
    own = 3 if platform == "darwin" else 2
    if platform == "win32":
        assert evil.words == plain.words
    else:
        head = plain.words.index("--")
        assert evil.words[: head + 1] == plain.words[: head + 1]
        assert len(evil.words) == len(plain.words) == head + 1 + own
    said = evil.environment.values() if platform == "win32" else evil.words[-own:]
    assert all("\n" not in each and "\0" not in each for each in said)


def test_markup_is_shown_as_text_where_the_platform_would_read_it():
    assert order("linux", "a", "<b>x</b> & y").words[-1] == "&lt;b&gt;x&lt;/b&gt; &amp; y"


def test_urgent_ones_say_so():
    assert "--urgency=critical" in order("linux", "a", "b", urgent=True).words
    assert order("darwin", "a", "b", urgent=True).words[-1] != order("darwin", "a", "b").words[-1]


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_a_notice_without_sound_names_none(platform: str):
    heard, mute = order(platform, "a", "b"), order(platform, "a", "b", sound=False)
    assert heard != mute
    assert not any(name in " ".join(mute.words) for name in ("sound-name", "Glass", "Basso", "sound name"))
    assert platform != "win32" or (mute.environment["PEFT_STUDIO_MUTE"], heard.environment["PEFT_STUDIO_MUTE"]) == (
        "1",
        "",
    )


ANSWERS = [("gsettings", "false", True), ("gsettings", "true", False), ("gdbus", "(<true>,)", True),
           ("gdbus", "(<false>,)", False), ("", "", False)]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="programs of a Linux desktop")
@pytest.mark.parametrize("program,says,calm", ANSWERS)
async def test_a_desktop_that_is_not_to_disturb_is_told_calmly(monkeypatch, tmp_path: Path, program, says, calm):
    """Programs that note how they were called stand in for the desktop's own."""
    for name in ("notify-send", *([program] if program else [])):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/{name}.said\necho "{says}"\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(alerts.sys, "platform", "linux")
    await alerts.alert("Shop", "Memory ran out.", urgent=True)
    said = (tmp_path / "notify-send.said").read_text()
    assert ("--urgency=normal" in said and "suppress-sound" in said) is calm
    assert ("--urgency=critical" in said and "sound-name" in said) is not calm


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_where_the_system_holds_notices_back_itself_it_is_not_asked(monkeypatch, platform: str):
    monkeypatch.setattr(alerts, "_answer", lambda words: pytest.fail("asked"))
    assert not alerts.quiet(platform)


def test_long_words_are_cut():
    assert len(order("darwin", "a", "x" * 5000).words[-2]) == LONGEST


@pytest.mark.parametrize(
    "words",
    [("there-is-no-such-program",), (sys.executable, "-c", "raise SystemExit(3)")],
    ids=["missing", "fails"],
)
async def test_a_desktop_that_cannot_be_told_is_logged(monkeypatch, caplog, words):
    monkeypatch.setattr(alerts, "order", lambda *rest, **more: Order(words))
    with caplog.at_level("INFO"):
        await alerts.alert("a", "b")
    assert "could not be told" in caplog.text


async def test_the_program_is_started_with_its_environment(monkeypatch, tmp_path: Path):
    place = tmp_path / "told"
    write = "import os, pathlib; pathlib.Path(os.environ['PLACE']).write_text(os.environ['PEFT_STUDIO_TITLE'])"
    made = Order((sys.executable, "-c", write), {"PLACE": str(place), "PEFT_STUDIO_TITLE": EVIL})
    monkeypatch.setattr(alerts, "order", lambda *rest, **more: made)
    await alerts.alert("a", "b")
    assert place.read_text() == EVIL
