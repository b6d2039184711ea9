"""A plan in the terminal: what will happen, what it costs, why each value, and what was noticed.

Also plans for what is not here: a bare config.json, a device by name or memory, no dataset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import msgspec
from rich.markup import escape

from engine.core.errors import PlanError
from engine.core.home import Home
from engine.plan.alternatives import Alternative
from engine.plan.devices import imagined
from engine.plan.facts import DataFacts
from engine.plan.hardware import Hardware, detect
from engine.plan.memory import LossPath
from engine.plan.models import BaseModel, read_model_facts, starter_path
from engine.plan.objectives import LAYOUT_WORDS
from engine.plan.own_profiles import OwnProfiles
from engine.plan.planner import Draft, Means, Plan, method_of, plan
from engine.plan.profiles import profile as profile_named
from engine.planning import USUAL_PROFILE
from engine.spec.objectives import LAYOUTS
from engine.spec.prepared import Layout
from engine.spec.records import Fact
from studio.terminal.datasets import print_findings
from studio.terminal.show import bytes_words, console, seconds_words, table

MOST_CARDS = 1024
MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}
UNITS = {
    "": 1e9,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
    "tb": 1e12,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
    "g": 1e9,
    "m": 1e6,
}


def bytes_of(words: str) -> float | None:
    """`24GB`, `24 GiB` or `24` (gigabytes) in bytes; None for nothing. Raises PlanError."""
    if not words:
        return None
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*", words)
    unit = UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None or float(found[1]) <= 0:
        raise PlanError(
            f"“{words}” is not an amount of memory.",
            "An amount is a number and a unit.",
            "Write, for example, --memory 24GB or --memory 80GiB.",
        )
    return float(found[1]) * unit


def plan_without_data(
    home: Path | None,
    model: str,
    profile: str,
    method: str,
    objective: str,
    name: str,
    edits: Mapping[str, Fact],
    hardware: Hardware | None,
) -> Plan:
    """A plan for a model alone: rows of the context length are assumed. Raises StudioError."""
    facts = _model(home, model)
    OwnProfiles(Home.open(home).profiles).refresh()
    kind = profile or USUAL_PROFILE
    chosen = {key: value for key, value in edits.items() if key != "loss"}
    data = DataFacts.stand_in(_length(chosen, facts, kind), layout=_layout(objective))
    draft = Draft(
        name=name or facts.name,
        profile=kind,
        model=facts,
        data=data,
        method=method_of(method),
        objective=objective or None,
        edits=chosen,
    )
    here = _cards(hardware, edits.get("processes", 1)) if hardware else detect(Path.cwd())
    return plan(draft, here, Means(loss=loss_path(edits.get("loss", "labelled"))))


def _cards(imagined: Hardware, processes: Fact) -> Hardware:
    """A machine that is not here has a card for each process."""
    count = int(processes) if str(processes).isdigit() and 0 < int(processes) <= MOST_CARDS else 1
    return msgspec.structs.replace(imagined, gpus=imagined.gpus * count)


def hardware_named(device: str, memory: str) -> Hardware | None:
    """The machine that is planned for when it is not this one. Raises PlanError."""
    return imagined(device, bytes_of(memory)) if device or memory else None


def refuse_elsewhere(*given: str) -> None:
    """Raise PlanError when options for planning without a dataset are given with one."""
    if any(given):
        raise PlanError(
            "A dataset is planned for this machine, as its rows ask for.",
            "--memory, --device and --loss are for planning without one.",
            "Leave the dataset out, and give --set max_length and --set batch_size instead.",
            "Or leave these options out.",
        )


def loss_path(wanted: Fact) -> LossPath:
    """How the loss is computed, by name. Raises PlanError."""
    for each in get_args(LossPath):
        if str(wanted).lower() == each:
            return each  # type: ignore[no-any-return]
    raise PlanError(
        f"There is no loss path “{wanted}”.",
        "It is labelled (as runs here do it), chunked or eager (as other trainers do).",
        "Leave it out to plan for this app.",
    )


def _layout(objective: str) -> Layout:
    wanted = LAYOUTS.get(objective.lower(), "rows")
    return next(each for each in LAYOUT_WORDS if each == wanted)


def _length(edits: Mapping[str, Fact], model: BaseModel, profile: str) -> int:
    """The context length asked for, where it is a sound one; planning itself says what is wrong with another."""
    asked = str(edits.get("max_length", ""))
    usual = min(model.context, profile_named(profile).dials.context)
    return int(asked) if asked.isdigit() and 0 < int(asked) <= 2_000_000 else usual


def _model(home: Path | None, words: str) -> BaseModel:
    """A folder, a config.json, a model of the Home by name, or the starter."""
    path = Path(words).expanduser()
    if words == "starter":
        return read_model_facts(starter_path())
    return read_model_facts(path if path.exists() else Home.open(home).models / words)


def print_plan(plan: Plan) -> None:
    """The whole plan."""
    estimate = plan.estimate
    console.print(f"[bold]{escape(plan.name)}[/]: {plan.total_steps} steps on {escape(estimate.device)}")
    console.print(
        f"time {seconds_words(estimate.seconds_min)} to {seconds_words(estimate.seconds_max)}, "
        f"memory {bytes_words(estimate.memory_peak)} of {bytes_words(estimate.memory_budget)}, "
        f"disk {bytes_words(estimate.disk_bytes)} ({estimate.confidence} confidence)"
    )
    energy = estimate.energy
    console.print(
        f"electricity {energy.kwh:.3g} kWh, {energy.cost:.2f} {energy.currency}, "
        f"{energy.carbon_grams:,.0f} g of carbon dioxide [dim]{escape(energy.reason)}[/]"
    )
    console.print(
        f"at most {estimate.limits.micro_batch:,} examples at once would fit, "
        f"or {estimate.limits.max_length:,} tokens each"
    )
    rows = [[each.name, _value(each.value), each.source, escape(each.reason)] for each in plan.values]
    table(("setting", ">value", "from", "because"), rows)
    table(
        ("memory", ">", "because"),
        [[p.title, bytes_words(p.amount), escape(p.reason)] for p in estimate.memory.components],
    )
    if plan.alternatives:
        table(("instead", ">time", ">memory", "what is lost"), [_alternative(each) for each in plan.alternatives])
    for check in plan.checks:
        console.print(f"{MARKS[check.state]} {escape(check.title)} [dim]{escape(check.note)}[/]")
    print_findings(plan.findings)


def _alternative(each: Alternative) -> list[str]:
    time = f"{'-' if each.seconds < 0 else '+'}{seconds_words(abs(each.seconds))}"
    memory = f"{'-' if each.memory_bytes < 0 else '+'}{bytes_words(abs(each.memory_bytes))}"
    title = each.title if each.fits else f"{each.title} (does not fit either)"
    return [f"{each.kind}: {escape(title)}", time, memory, escape(each.quality)]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
