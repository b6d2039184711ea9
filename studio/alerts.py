"""Notices of the desktop itself, with sound, through what each platform has: notify-send, osascript, PowerShell.

Words never become code: they are arguments or environment variables.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from html import escape

import anyio.to_thread
import msgspec

log = logging.getLogger(__name__)
SECONDS = 10
LONGEST = 240
"""Letters of a notice; systems cut longer ones anyway."""
APPLE = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv) sound name (item 3 of argv)",
    "end run",
)
WINDOWS = """
$m = [Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]
$x = $m::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02)
$t = $x.GetElementsByTagName("text")
$null = $t.Item(0).AppendChild($x.CreateTextNode($env:PEFT_STUDIO_TITLE))
$null = $t.Item(1).AppendChild($x.CreateTextNode($env:PEFT_STUDIO_WORDS))
$n = [Windows.UI.Notifications.ToastNotification]::new($x)
$m::CreateToastNotifier("PEFT Studio").Show($n)
"""


class Order(msgspec.Struct, frozen=True):
    """A program to start, and what it finds in its environment besides the usual."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = {}


def order(platform: str, title: str, words: str, *, urgent: bool = False) -> Order:
    """The program that shows this notice on a platform (as `sys.platform` names it)."""
    title, words = _plain(title), _plain(words)
    if platform == "darwin":
        script = tuple(part for line in APPLE for part in ("-e", line))
        return Order(("osascript", *script, "--", title, words, "Basso" if urgent else "Glass"))
    if platform == "win32":
        shell = ("powershell", "-NoProfile", "-NonInteractive", "-Command", WINDOWS)
        return Order(shell, {"PEFT_STUDIO_TITLE": title, "PEFT_STUDIO_WORDS": words})
    sound = "dialog-error" if urgent else "complete"
    level = "critical" if urgent else "normal"
    hints = ("--app-name=PEFT Studio", f"--urgency={level}", f"--hint=string:sound-name:{sound}")
    return Order(("notify-send", *hints, "--", title, escape(words, quote=False)))  # its body is read as markup


def _plain(words: str) -> str:
    """One line without control signs, not too long."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


async def alert(title: str, words: str, *, urgent: bool = False) -> None:
    """Show a notice of the desktop; where that cannot be had, the log says so."""
    what = order(sys.platform, title, words, urgent=urgent)
    await anyio.to_thread.run_sync(_start, what, abandon_on_cancel=True)


def _start(what: Order) -> None:
    try:
        subprocess.run(
            what.words,
            env={**os.environ, **what.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.info("the desktop could not be told: %s", error)
