"""What a plan needs, in bars and words: memory by component, electricity, what would fit at most, and other plans."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.plan.alternatives import Alternative
from engine.plan.costs import Energy
from engine.plan.estimate import Estimate, Memory
from engine.plan.planner import Plan
from engine.plan.solver import Limits
from engine.spec.methods import method_name
from studio.hooks import use_session, use_surroundings
from studio.kit import (
    badge,
    bar,
    body,
    captioned,
    card,
    code,
    columns,
    component,
    duration,
    fact,
    gigabytes,
    label,
    muted,
    row,
    secondary,
    section,
    termed,
)
from studio.pages.wizard_state import OBJECTIVE, edits_that_fit
from studio.session import WizardDraft
from studio.theme import BODY, S1, S2, S3, Ink

SLIGHT = 0.005
"""Differences under this share are not worth a word."""
KINDS = {"faster": ("faster", "info"), "smaller": ("less memory", "good")}


@component
def Needs(plan: Plan) -> Any:
    """Memory by component, and everything else a run costs."""
    made = plan.estimate
    count = 1 if use_surroundings().columns == 1 else 2
    return section("What it needs", columns([card(_memory(made)), card(_costs(made))], count))


def _memory(made: Estimate) -> ft.Control:
    expected, budget = gigabytes(made.memory_peak), gigabytes(made.memory_budget)
    head = ft.Row([label("Memory", expand=True), body(f"{expected} of {budget}")])
    return ft.Column([head, *memory_bars(made.memory, reasons=False)], spacing=S2, tight=True)


def memory_bars(memory: Memory, *, reasons: bool) -> list[ft.Control]:
    """A bar for each component, the largest first, as shares of the whole peak."""
    whole = max(1.0, sum(part.amount for part in memory))
    parts: list[ft.Control] = []
    for part in sorted((each for each in memory if each.amount >= 1), key=lambda each: -each.amount):
        words: list[ft.Control] = [
            _beside(part.title, gigabytes(part.amount)),
            bar(part.amount / whole, name=f"{part.title}: {gigabytes(part.amount)}"),
        ]
        parts.append(ft.Column([*words, *([muted(part.reason)] if reasons else [])], spacing=S1, tight=True))
    return parts


def _beside(name: str, amount: str) -> ft.Control:
    said = ft.Container(termed(name, size=BODY, color=Ink.TEXT), expand=True)
    return ft.Row([said, code(amount, selectable=False)], spacing=S3, vertical_alignment=ft.CrossAxisAlignment.START)


def _costs(made: Estimate) -> ft.Control:
    energy = made.energy
    facts = [
        fact("Electricity", electricity(energy), f"about {energy.watts:,.0f} W"),
        fact("Its price", price(energy), energy.currency),
        fact("Carbon dioxide", grams(energy.carbon_grams), "where that power is made"),
        fact("Disk", gigabytes(made.disk_bytes), termed("checkpoints and result")),
    ]
    return ft.Column(
        [
            label("Costs and limits"),
            columns(list(facts), 2),
            muted(f"Rests on {energy.reason}."),
            *[body(each) for each in limit_words(made.limits)],
        ],
        spacing=S3,
        tight=True,
    )


def limit_words(limits: Limits) -> list[str]:
    """What would fit at most, in sentences."""
    if not limits.micro_batch and not limits.max_length:
        return ["Not even one example fits this memory."]
    found = []
    if limits.micro_batch:
        found.append(f"At this length, at most {limits.micro_batch:,} examples fit at once.")
    if limits.max_length:
        found.append(f"With as many at once as planned, texts of at most {limits.max_length:,} tokens fit.")
    return found


def electricity(energy: Energy) -> str:
    """Kilowatt-hours, or watt-hours where those would be a small fraction."""
    if energy.kwh >= 0.1:
        return f"{energy.kwh:.3g} kWh"
    return f"{energy.kwh * 1000:.2g} Wh" if energy.kwh >= 1e-5 else "under 0.01 Wh"


def price(energy: Energy) -> str:
    """The price of the electricity; under a hundredth it is said so."""
    return f"{energy.cost:.2f}" if energy.cost >= 0.01 else "under 0.01"


def grams(amount: float) -> str:
    """Grams, or kilograms from a thousand on."""
    if amount >= 1000:
        return f"{amount / 1000:.3g} kg"
    return f"{amount:.2g} g" if amount >= 0.01 else "under 0.01 g"


@component
def Alternatives(draft: WizardDraft, plan: Plan) -> Any:
    """Other plans near this one, each taken over by one press."""
    session = use_session()
    count = 1 if use_surroundings().columns == 1 else 2

    def take(other: Alternative) -> None:
        now = session.wizard.value
        method = other.method or now.method
        objective = str(plan.objective.__struct_config__.tag)
        edits = edits_that_fit({**now.edits, **other.edits}, method or method_name(plan.method), objective)
        kept = {key: value for key, value in now.edits.items() if key == OBJECTIVE}
        session.edit(method=method, edits={**edits, **kept})

    cards = [_alternative(each, plan.estimate, lambda each=each: take(each)) for each in plan.alternatives]
    return section("Or instead", columns(cards, count))


def _alternative(other: Alternative, made: Estimate, take: Any) -> ft.Control:
    words, tone = KINDS[other.kind]
    fit = [] if other.fits else [badge("does not fit", "bad")]
    return card(
        ft.Column(
            [
                row(badge(words, tone), *fit),
                label(other.title),
                body(difference(other, made)),
                captioned("What it costs in quality", other.quality),
                ft.Row([secondary("Take this one", take)]),
            ],
            spacing=S2,
            tight=True,
        ),
        padding=12,
    )


def difference(other: Alternative, made: Estimate) -> str:
    """What changes, said in the order of what matters: time, memory, disk."""
    found = [
        _change(other.seconds, made.seconds, duration(abs(other.seconds)), "time"),
        _change(other.memory_bytes, made.memory_peak, gigabytes(abs(other.memory_bytes)), "memory"),
        _change(other.disk_bytes, made.disk_bytes, gigabytes(abs(other.disk_bytes)), "disk"),
    ]
    return ", ".join(each for each in found if each) or "About the same."


def _change(by: float, of: float, amount: str, name: str) -> str:
    share = abs(by) / max(1e-9, of)
    if share < SLIGHT:
        return ""
    return f"{'−' if by < 0 else '+'}{share * 100:.0f} % {name} ({amount})"
