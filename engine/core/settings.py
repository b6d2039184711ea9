"""The user's settings: one frozen struct, one file, unknown fields kept out and damage never fatal."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from engine.spec.fields import Level, described
from engine.spec.files import read_struct, write_struct

log = logging.getLogger(__name__)
LOOKS, TOLD, POWER, RUNS = "Appearance", "Notifications", "Power and cost", "Runs and memory"
FILES, BROWSERS, DEBUG = "Files", "Other browsers", "Debugging"
"""The groups that settings are shown in."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a person can set for the whole app."""

    theme: Annotated[
        Literal["system", "light", "dark", "contrast"],
        described("Theme", "Light, dark, high contrast, or as the system is.", level=Level.ESSENTIAL, group=LOOKS),
    ] = "system"
    motion: Annotated[
        Literal["system", "full", "reduced"],
        described(
            "Movement",
            "Transitions and moving parts; reduced shows changes at once.",
            level=Level.ESSENTIAL,
            group=LOOKS,
        ),
    ] = "system"
    side_bar: Annotated[
        bool, described("Side bar", "Runs, datasets and versions beside each page.", level=Level.ESSENTIAL, group=LOOKS)
    ] = True
    expert_mode: Annotated[
        bool,
        described("Expert mode", "A new run's form shows every setting and method at once.", group=LOOKS),
    ] = False
    do_not_disturb: Annotated[
        bool, described("Do not disturb", "Notices wait quietly in their list.", level=Level.ESSENTIAL, group=TOLD)
    ] = False
    notify_progress: Annotated[
        bool, described("Tell of progress", "At a quarter, a half and three quarters.", group=TOLD)
    ] = True
    notify_finished: Annotated[
        bool, described("Tell when a run is done", "When it ends by itself or is stopped.", group=TOLD)
    ] = True
    notify_problems: Annotated[
        bool,
        described("Tell of problems", "When a run fails, is lost, or pauses because it has a question.", group=TOLD),
    ] = True
    notify_sound: Annotated[
        bool, described("Sound", "With the desktop's notices of ends and problems, where it has one.", group=TOLD)
    ] = True
    power_saving: Annotated[
        Literal["auto", "on", "off"],
        described("Power saving", "Fewer redraws and nothing that moves; auto saves while on battery.", group=POWER),
    ] = "auto"
    electricity_price: Annotated[
        float,
        described(
            "Electricity price",
            "Of a kilowatt-hour; 0 counts with a usual one.",
            unit="a kWh",
            ge=0,
            le=1000,
            group=POWER,
        ),
    ] = 0.0
    currency: Annotated[
        Literal["USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "BRL", "CAD", "AUD"],
        described("Currency", "Of the electricity price.", group=POWER),
    ] = "USD"
    grid_carbon: Annotated[
        float,
        described(
            "Carbon of your electricity",
            "0 counts with the world's average.",
            unit="g a kWh",
            ge=0,
            le=5000,
            group=POWER,
        ),
    ] = 0.0
    concurrent_runs: Annotated[
        int, described("Runs at once", "Further runs wait in the queue.", unit="runs", ge=1, le=64, group=RUNS)
    ] = 1
    threads: Annotated[
        int,
        described(
            "Processor threads per run", "0 takes every core.", unit="threads", level=Level.ADVANCED, ge=0, group=RUNS
        ),
    ] = 0
    idle_host_seconds: Annotated[
        float,
        described("Model leaves memory after", "Idle time in the playground.", unit="s", ge=5, le=86_400, group=RUNS),
    ] = 300.0
    warn_file_bytes: Annotated[
        int,
        described(
            "Large file warning", "Data files above this are read after a warning.", unit="bytes", ge=1, group=FILES
        ),
    ] = 500_000_000
    refuse_file_bytes: Annotated[
        int, described("Largest data file", "Data files above this are refused.", unit="bytes", ge=1, group=FILES)
    ] = 1_000_000_000
    uploads_bytes: Annotated[
        int,
        described(
            "Room for uploads", "Files of browsers, together; they go after a day.", unit="bytes", ge=1, group=FILES
        ),
    ] = 5_000_000_000
    web_pages: Annotated[
        int,
        described(
            "Pages open at once", "Windows and tabs that a browser shows.", unit="pages", ge=1, le=256, group=BROWSERS
        ),
    ] = 16
    web_visits: Annotated[
        int,
        described(
            "Signed-in browsers", "At once; then the longest unused one is signed out.", ge=1, le=256, group=BROWSERS
        ),
    ] = 8
    web_hours: Annotated[
        float,
        described("Signed in for", "Then the password is asked again.", unit="hours", ge=0.1, le=720, group=BROWSERS),
    ] = 12.0
    web_idle_minutes: Annotated[
        float, described("Signed out after", "Time without use.", unit="minutes", ge=1, le=43_200, group=BROWSERS)
    ] = 60.0
    debug: Annotated[
        bool,
        described("Debug mode", "Shows the app's own log, and a page with every part of the screens.", group=DEBUG),
    ] = False
    model_folders: tuple[str, ...] = ()
    """Folders with models outside the Home; they are named where models are listed."""


LIMITS = (
    "concurrent_runs",
    "threads",
    "idle_host_seconds",
    "debug",
    "warn_file_bytes",
    "refuse_file_bytes",
    "uploads_bytes",
    "web_pages",
    "web_visits",
    "web_hours",
    "web_idle_minutes",
)
"""What protects the machine: a browser on another machine sees these and cannot change them."""


def load(path: Path) -> Settings:
    """The saved settings; the defaults when there are none or they cannot be read (the damaged file is kept)."""
    try:
        return read_struct(path, Settings)
    except FileNotFoundError:
        return Settings()
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("settings could not be read and the defaults are used: %s", error)
        return Settings()


def save(path: Path, settings: Settings) -> None:
    """Check the limits and write. Raises msgspec.ValidationError or OSError."""
    write_struct(path, msgspec.convert(msgspec.to_builtins(settings), Settings))
