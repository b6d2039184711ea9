"""Notices of the desktop itself, with sound, through what each platform has: notify-send, osascript, PowerShell.

Words never become code: they are arguments or environment variables. When the system is asked not to disturb, macOS
(Focus) and Windows (Focus assist) hold notices and their sounds back by themselves. On Linux urgent notices pass that,
so the desktop is asked first (GNOME's setting, the freedesktop property `Inhibited`), and then they are neither urgent
nor heard.
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
MUTE_APPLE = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)
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
if ($env:PEFT_STUDIO_MUTE) {
  $a = $x.CreateElement("audio")
  $a.SetAttribute("silent", "true")
  $null = $x.DocumentElement.AppendChild($a)
}
$n = [Windows.UI.Notifications.ToastNotification]::new($x)
$m::CreateToastNotifier("PEFT Studio").Show($n)
"""


class Order(msgspec.Struct, frozen=True):
    """A program to start, and what it finds in its environment besides the usual."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = {}


QUIET = (
    (("gsettings", "get", "org.gnome.desktop.notifications", "show-banners"), "false"),
    (
        (
            *("gdbus", "call", "--session", "--dest=org.freedesktop.Notifications"),
            *("--object-path=/org/freedesktop/Notifications", "--method=org.freedesktop.DBus.Properties.Get"),
            *("org.freedesktop.Notifications", "Inhibited"),
        ),
        "(<true>,)",
    ),
)
"""What a Linux desktop is asked, and its answer when it is not to disturb."""


def order(platform: str, title: str, words: str, *, urgent: bool = False, sound: bool = True) -> Order:
    """The program that shows this notice on a platform (as `sys.platform` names it)."""
    title, words = _plain(title), _plain(words)
    if platform == "darwin":
        script = tuple(part for line in (APPLE if sound else MUTE_APPLE) for part in ("-e", line))
        return Order(("osascript", *script, "--", title, words, *(["Basso" if urgent else "Glass"] if sound else [])))
    if platform == "win32":
        shell = ("powershell", "-NoProfile", "-NonInteractive", "-Command", WINDOWS)
        mute = "" if sound else "1"
        return Order(shell, {"PEFT_STUDIO_TITLE": title, "PEFT_STUDIO_WORDS": words, "PEFT_STUDIO_MUTE": mute})
    level = "critical" if urgent else "normal"
    heard = f"string:sound-name:{'dialog-error' if urgent else 'complete'}" if sound else "boolean:suppress-sound:true"
    hints = ("--app-name=PEFT Studio", f"--urgency={level}", f"--hint={heard}")
    return Order(("notify-send", *hints, "--", title, escape(words, quote=False)))  # its body is read as markup


def _plain(words: str) -> str:
    """One line without control signs, not too long."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


async def alert(title: str, words: str, *, urgent: bool = False, sound: bool = True) -> None:
    """Show a notice of the desktop; where that cannot be had, the log says so."""
    await anyio.to_thread.run_sync(_show, title, words, urgent, sound, abandon_on_cancel=True)


def _show(title: str, words: str, urgent: bool, sound: bool) -> None:
    calm = quiet(sys.platform)
    _start(order(sys.platform, title, words, urgent=urgent and not calm, sound=sound and not calm))


def quiet(platform: str) -> bool:
    """Whether the desktop is not to disturb and would let urgent notices pass nevertheless."""
    if platform in ("darwin", "win32"):
        return False
    return any(_answer(words) == yes for words, yes in QUIET)


def _answer(words: tuple[str, ...]) -> str:
    """What a program prints; nothing where it is not there or fails."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


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
