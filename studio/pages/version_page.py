"""One version: how it was found beside its base, what to do next, its exports, and where it came from."""

from __future__ import annotations

import time
from typing import Any

import flet as ft

from engine.results.listing import Listed
from studio.frame import frame
from studio.hooks import go, use_engine, use_latest, use_session, use_surroundings, use_topic
from studio.kit import (
    Below,
    ErrorCard,
    captioned,
    chip,
    component,
    link,
    loading,
    muted,
    name_title,
    panel_title,
    primary,
    quiet,
    row,
    section,
    short,
    title,
)
from studio.kit.words import duration
from studio.pages.benchmarks import VersionBenchmarks
from studio.pages.evaluation import Evaluations
from studio.pages.exports import VersionExports
from studio.pages.version_advice import NextSteps
from studio.pages.versions import Standing, badges, problems
from studio.pages.versions_care import Capsule, Deeds, Notes
from studio.theme import S1, S4

TABS = {"evaluation": "Evaluation", "benchmarks": "Benchmarks", "exports": "Exports", "about": "About it"}


@component
def VersionPage() -> Any:
    """The version of this address."""
    version_id = ft.use_route_params().get("version_id", "")
    return VersionBody(version_id, key=version_id)  # type: ignore[call-arg]


@component
def VersionBody(version_id: str) -> Any:
    """The page of one version."""
    engine, session = use_engine(), use_session()
    surroundings = use_surroundings()
    changed = use_topic(engine.outcomes.changed, every=0.5)
    tab, show = use_topic(session.version_tab, every=0.0), session.version_tab.set
    each, problem, again = use_latest(lambda: engine.outcomes.standing(version_id), [version_id, changed])
    if each is None:
        others = quiet("All versions", lambda: go("/versions"))
        content = ErrorCard(problem, again=again, also=others) if problem else loading()
        return frame(surroundings, title("Version"), content)
    version = each.version
    head = ft.Column(
        [name_title(version.title), row(*badges(each), Standing(each))],
        spacing=S1,
        tight=True,
    )
    actions = [link("All versions", "/versions")]
    if each.usable:
        talk = f"/playground/{version.id}"
        actions.append(primary("Talk to it", lambda: go(talk), icon=ft.Icons.CHAT_BUBBLE_OUTLINE))
    shown = {
        "evaluation": lambda: _evaluation(each, changed, show),
        "benchmarks": lambda: VersionBenchmarks(each),
        "exports": lambda: VersionExports(each),
        "about": lambda: _about(each),
    }[tab]()
    return frame(
        surroundings,
        head,
        *problems(each),
        row(*(chip(words, lambda key=key: show(key), selected=key == tab) for key, words in TABS.items())),
        ft.Container(shown, key=f"tab-{tab}"),
        actions=tuple(actions),
        panel=_panel(each),
    )


def _evaluation(each: Listed, changed: int, show: Any) -> ft.Control:
    return ft.Column(
        [Evaluations(each, changed), Below([NextSteps(each.version, changed, show)])],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _about(each: Listed) -> ft.Control:
    return ft.Column(
        [Deeds(each), Notes(each.version), *([Capsule(each)] if each.usable else [])],
        spacing=S4,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _panel(each: Listed) -> ft.Control:
    """Where it came from."""
    version = each.version
    metrics = version.metrics
    facts = [
        ("Base model", version.model),
        ("Data", version.dataset),
        ("Method", f"{version.method}, {version.steps} steps, {version.precision}"),
        ("Made", time.strftime("%d %b %Y, %H:%M", time.localtime(version.made))),
    ]
    if "validation_loss" in metrics:
        facts.append(("Held-out loss", short(metrics["validation_loss"])))
    if "seconds" in metrics:
        facts.append(("Training took", duration(metrics["seconds"])))
    links: list[ft.Control] = [link("Open its run", f"/runs/{version.run}")]
    links.append(link("Open its data", f"/data/{version.dataset_id}"))
    if version.parent:
        links.append(link("Open the version it goes on from", f"/versions/{version.parent}"))
    return ft.Column(
        [
            panel_title("Where it came from"),
            *(captioned(name, words) for name, words in facts),
            ft.Column(links, spacing=0),
            *([section("Tags", muted(", ".join(version.tags), size=14))] if version.tags else []),
        ],
        spacing=S4,
    )
