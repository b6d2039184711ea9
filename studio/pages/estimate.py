"""The live estimate beside the wizard: time, memory by component against the device, disk, and how sure it is."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.plan.estimate import Estimate
from studio.hooks import use_engine, use_topic
from studio.kit import (
    badge,
    body,
    component,
    divider,
    duration_range,
    gigabytes,
    heading,
    loading,
    meter,
    muted,
    number,
    plural,
    quiet,
    termed,
)
from studio.pages.wizard_needs import electricity, grams, memory_bars, price
from studio.pages.wizard_state import PlanState, chosen_model, goes_on, profile_title, use_models
from studio.session import WizardDraft
from studio.theme import S2, S3

SURE = {"low": "a rough guess", "medium": "a fair guess", "high": "close"}


@component
def EstimatePanel(draft: WizardDraft, state: PlanState) -> Any:
    """What the run will need, and what was chosen so far."""
    engine = use_engine()
    datasets = use_topic(engine.library.datasets, every=0.5)
    dataset = next((each for each in datasets if each.id == draft.dataset), None)
    model = chosen_model(use_models(), draft)
    chosen = [
        ("Use case", profile_title(engine, draft.profile)),
        ("Data", f"{dataset.name}, {plural(dataset.rows, 'row')}" if dataset else ""),
        ("Model", model.name if model else ""),
    ]
    lines: list[ft.Control] = [_line(name, words or "not chosen yet") for name, words in chosen]
    if onward := goes_on(draft):
        lines.append(_line("Begins with", onward.title))
    if state.plan is not None:
        again = [muted("Counting your data again…")] if state.waiting else []
        numbers: ft.Control = ft.Column(
            [*again, Numbers(state.plan.estimate, state.plan.total_steps)],
            spacing=S3,
            horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
        )
    elif state.waiting:
        numbers = loading("Counting your data")
    else:
        numbers = muted("Time and memory appear here as soon as data and model are chosen.", size=14)
    return ft.Column(
        [heading("This run"), *lines, divider(), heading("Estimate"), numbers],
        spacing=S3,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _line(name: str, words: str) -> ft.Control:
    return ft.Row(
        [ft.Container(muted(name, size=14), width=76), body(words, expand=True)],
        spacing=S2,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )


@component
def Numbers(estimate: Estimate, steps: int) -> Any:
    """Time, memory, disk; the parts on demand."""
    open_, set_open = ft.use_state(False)
    share = estimate.memory_peak / max(1, estimate.memory_budget)
    words = f"{gigabytes(estimate.memory_peak)} of {gigabytes(estimate.memory_budget)}"
    blocks: list[ft.Control] = [
        ft.Column(
            [
                muted("Time"),
                number(duration_range(estimate.seconds_min, estimate.seconds_max)),
                muted(f"{plural(steps, 'step')} at about {estimate.tokens_per_second:,.0f} tokens/s"),
            ],
            spacing=0,
            tight=True,
        ),
        meter("Memory at its peak", share, words),
        muted(f"on {estimate.device}; between {gigabytes(estimate.memory_low)} and {gigabytes(estimate.memory_high)}"),
        _pair("Disk", muted(gigabytes(estimate.disk_bytes))),
        _pair(
            "Electricity", muted(f"{electricity(estimate.energy)}, {price(estimate.energy)} {estimate.energy.currency}")
        ),
        _pair("Carbon dioxide", muted(grams(estimate.energy.carbon_grams))),
        _pair("Weights trained", muted(f"{estimate.trainable:,}")),
        _pair("How sure", badge(SURE[estimate.confidence], "plain")),
        muted(estimate.confidence_reason),
        ft.Row([quiet("Hide why" if open_ else "Why this much?", lambda: set_open(lambda now: not now))]),
    ]
    if open_:
        blocks += memory_bars(estimate.memory, reasons=True)
    return ft.Column(blocks, spacing=S2, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _pair(name: str, value: ft.Control) -> ft.Control:
    return ft.Row([ft.Container(termed(name), expand=True), value], spacing=S2)
