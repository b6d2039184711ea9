"""Versions: every model that came out of a run, newest first, with how it was measured and where it came from."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.results.versions import Version
from studio.hooks import go, use_engine, use_surroundings, use_topic
from studio.kit import ago, badge, card, component, empty, label, link, muted, primary, row, short, title
from studio.pages.run_result import Verdict
from studio.shell import frame
from studio.theme import S2, S3

SHOWN = 30


@component
def VersionList() -> Any:
    """The list."""
    engine = use_engine()
    surroundings = use_surroundings()
    versions = use_topic(engine.outcomes.versions, every=0.5)
    rows: list[ft.Control] = [VersionCard(each, key=each.id) for each in versions[:SHOWN]]  # type: ignore[call-arg]
    if not versions:
        rows = [
            empty(
                ft.Icons.LAYERS_OUTLINED,
                "No versions yet.",
                "Every completed run becomes a version you can talk to, measure and keep.",
                primary("Fine-tune a model", lambda: go("/new")),
            )
        ]
    return frame(
        surroundings.width,
        surroundings.columns,
        title("Versions"),
        ft.Column(rows, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
    )


@component
def VersionCard(version: Version) -> Any:
    """One version: lineage, scores, what to do with it."""
    facts = [version.model, version.dataset, version.method, ago(version.made)]
    loss = version.metrics.get("validation_loss")
    if loss is not None:
        facts.append(f"held-out loss {short(loss)}")
    return card(
        ft.Column(
            [
                row(label(f"{version.name} {version.number}"), badge("tuned model", "tuned")),
                muted(" · ".join(each for each in facts if each), size=14),
                Verdict(version),
                row(
                    primary("Talk to it", lambda: go(f"/playground/{version.id}"), icon=ft.Icons.CHAT_BUBBLE_OUTLINE),
                    link("Open its run", f"/runs/{version.run}"),
                ),
            ],
            spacing=S2,
            tight=True,
        )
    )
