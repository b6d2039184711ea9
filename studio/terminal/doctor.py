"""`peft-studio doctor`: what this machine can do, where things are, and what is missing."""

from __future__ import annotations

import importlib.util
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import msgspec

from engine.core.home import Home
from engine.plan.hardware import Hardware, detect
from engine.runs.launch import NEEDED
from studio.terminal.show import bytes_words, console, table


class Check(msgspec.Struct, frozen=True):
    """One line of the report. `ok` None is a fact rather than a check."""

    name: str
    finding: str
    ok: bool | None = None
    remedy: str = ""


class Report(msgspec.Struct, frozen=True):
    """The whole examination."""

    ready: bool
    home: str
    hardware: Hardware
    checks: tuple[Check, ...]


def examine(home: Home) -> Report:
    """Look at Python, libraries, hardware and the Home. Imports none of the training libraries."""
    hardware = detect(home.path)
    checks = (*_software(), *_machine(hardware), *_place(home))
    return Report(all(check.ok is not False for check in checks), str(home.path), hardware, checks)


def _software() -> list[Check]:
    found = [Check("Python", f"{platform.python_version()} on {platform.system()}", sys.version_info >= (3, 11))]
    for name in (*NEEDED, "bitsandbytes"):
        here = importlib.util.find_spec(name) is not None
        finding = _version(name) if here else "not installed"
        found.append(Check(name, finding, here or None if name == "bitsandbytes" else here, _INSTALL))
    return found


_INSTALL = "pip install 'peft-studio[train]', or run python3 build/run.py once"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "installed"


def _machine(hardware: Hardware) -> list[Check]:
    gpus = ", ".join(f"{gpu.name} ({bytes_words(gpu.memory_total)})" for gpu in hardware.gpus)
    return [
        Check("GPU", gpus or "none found; training runs on the processor"),
        Check("processor", f"{hardware.cpu}, {hardware.cores} cores{', bf16' if hardware.bf16 else ''}"),
        Check("memory", f"{bytes_words(hardware.memory_free)} free of {bytes_words(hardware.memory_total)}"),
        Check("disk", f"{bytes_words(hardware.disk_free)} free", hardware.disk_free > 2e9, "Free some space."),
    ]


def _place(home: Home) -> list[Check]:
    holder = home.holder()
    return [
        Check("Home", str(home.path), True),
        Check("held by", f"{holder.role}, process {holder.pid}" if holder else "nobody"),
        Check("log", str(home.logs)),
    ]


def print_report(report: Report) -> None:
    """The report as a table, with remedies under it."""
    marks = {True: "[green]ok[/]", False: "[red]missing[/]", None: ""}
    table(("", "", ""), [[check.name, check.finding, marks[check.ok]] for check in report.checks])
    for check in report.checks:
        if check.ok is False and check.remedy:
            console.print(f"[red]{check.name}[/]: {check.remedy}")
