"""Two to five versions or runs side by side: the verdict, curves, measures, what they took, recipes, and examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlparse

import flet as ft

from engine.results.comparison import LEAST, MOST, Comparison
from engine.results.subjects import Subject
from engine.results.versions import Version
from engine.runs.views import RunView
from studio.frame import frame
from studio.hooks import go, use_attempt, use_engine, use_latest, use_session, use_surroundings, use_topic
from studio.kit import (
    Busy,
    ErrorCard,
    Search,
    badge,
    card,
    chip,
    component,
    empty,
    label,
    link,
    loading,
    muted,
    named,
    primary,
    row,
    section,
    title,
)
from studio.model_colors import version_colors
from studio.pages.compare_curves import Curves
from studio.pages.compare_examples import Errors, Examples
from studio.pages.compare_tables import measures, pairings, recipes, taken
from studio.pages.evaluation_start import AtWork, at_work, evaluates
from studio.pages.wizard_state import review_draft
from studio.theme import S2, S3, S4

SHOWN = 30
"""Versions and runs offered at once."""


def ids_of(route: str) -> tuple[str, ...]:
    """The versions and runs that an address names."""
    named = parse_qs(urlparse(route).query).get("ids", [""])[0]
    return tuple(dict.fromkeys(each for each in named.split(",") if each))


@component
def ComparePage() -> Any:
    """What the address names, or the choice of what to compare."""
    ft.use_route_location()
    ids = ids_of(ft.context.page.route)
    if not LEAST <= len(ids) <= MOST:
        return Choose(ids, key="choose")  # type: ignore[call-arg]
    return Compared(ids, key=",".join(ids))  # type: ignore[call-arg]


@component
def Choose(ids: tuple[str, ...]) -> Any:
    """Versions and completed runs to choose from."""
    engine = use_engine()
    surroundings = use_surroundings()
    versions = use_topic(engine.outcomes.versions, every=0.5)
    runs = use_topic(engine.runs.list, every=1.0)
    chosen, choose = ft.use_state(ids[:MOST])
    words, search = ft.use_state("")

    def toggle(one: str) -> None:
        choose(lambda now: tuple(each for each in now if each != one) if one in now else (*now, one)[-MOST:])

    choices = ft.use_memo(lambda: comparable(versions, runs), [versions, runs])
    if len(choices) < LEAST:
        content: ft.Control = empty(
            ft.Icons.COMPARE_ARROWS,
            "There is nothing to compare yet.",
            "Two versions or runs are needed: train again with other settings, and see which is better.",
            primary("Start a run", lambda: go("/new")),
        )
    else:
        fitting = found_among(choices, words, chosen)
        chips = [
            chip(named(words), lambda one=one: toggle(one), selected=one in chosen) for one, words in fitting[:SHOWN]
        ]
        many, sure = len(choices) > SHOWN, len(chosen) >= LEAST
        press = primary(f"Compare {len(chosen)}", lambda: go(_address(chosen)), disabled=not sure)
        said = f"Choose {LEAST} to {MOST} versions or runs."
        if len(fitting) > SHOWN:
            said = f"{said} The newest {SHOWN} of {len(fitting):,} are shown: search for the others."
        content = ft.Column(
            [
                muted(said, size=14),
                *([ft.Container(Search(words, search, hint="Search versions and runs"), width=320)] if many else []),
                row(*chips) if chips else muted("None is called that.", size=14),
                row(press),
            ],
            spacing=S4,
        )
    return frame(surroundings, title("Compare"), content)


def comparable(versions: Sequence[Version], runs: Sequence[RunView]) -> list[tuple[str, str]]:
    """Ids and names of what has something to compare: versions, and runs with a curve that became none."""
    became = {version.run for version in versions}
    others = [run for run in runs if run.kind == "train" and run.step and run.id not in became]
    return [(each.id, each.title) for each in versions] + [(run.id, f"run {run.name}") for run in others]


def found_among(choices: Sequence[tuple[str, str]], words: str, chosen: Sequence[str]) -> list[tuple[str, str]]:
    """Those with all these words in their names; the chosen ones first, whatever they are called."""
    wanted = words.casefold().split()
    first = [each for each in choices if each[0] in chosen]
    return [
        *first,
        *(each for each in choices if each[0] not in chosen and all(word in each[1].casefold() for word in wanted)),
    ]


def _address(ids: tuple[str, ...]) -> str:
    return "/compare?ids=" + ",".join(ids)


@component
def Compared(ids: tuple[str, ...]) -> Any:
    """The comparison."""
    engine = use_engine()
    surroundings = use_surroundings()
    changed = use_topic(engine.outcomes.changed, every=0.5)
    versions = use_topic(engine.outcomes.versions, every=0.5)
    found, problem, again = use_latest(lambda: engine.outcomes.compare(ids), [ids, changed])
    if problem is not None:
        content: list[ft.Control] = [ErrorCard(problem, again=again, also=link("Choose others", "/compare"))]
    elif found is None:
        content = [loading("Comparing every answer")]
    else:
        shown = [each.version or each.run for each in found.subjects]
        colors = version_colors(shown, versions, surroundings.palette)
        content = _content(found, ids, [colors[each] for each in shown])
    return frame(
        surroundings,
        title("Compare"),
        *content,
        actions=(link("Choose others", "/compare"),),
    )


def _content(found: Comparison, ids: tuple[str, ...], colors: Sequence[str]) -> list[ft.Control]:
    subjects = found.subjects
    blocks: list[ft.Control] = [
        row(*(_subject(each, place, ids, colors[place]) for place, each in enumerate(subjects)), spacing=S3),
        Verdict(found),
        Curves(subjects, colors),
    ]
    if found.measures:
        blocks.append(section("Measures", measures(found), muted("The best is marked; in brackets the 95 % interval.")))
    if found.pairings:
        count = len(found.pairings)
        words = f"{count} differences were tested together, and each p is corrected for that (Holm)."
        blocks.append(section("Each against each", pairings(found), muted(words)))
    blocks.append(section("What they took", taken(subjects)))
    if found.settings:
        blocks.append(section("How their recipes differ", recipes(found)))
    if found.clusters:
        blocks.append(Errors(found))
    if found.rows:
        blocks.append(Examples(found, colors))
    blocks.append(section("Go on", *(Onward(each) for each in subjects)))
    return blocks


def _subject(each: Subject, place: int, ids: tuple[str, ...], color: str) -> ft.Control:
    """Whose colour is whose; pressed, it leaves the comparison where enough others stay."""
    mark = ft.Container(width=12, height=12, border_radius=6, bgcolor=color)
    route = f"/versions/{each.version}" if each.version else f"/runs/{each.run}"
    leave = (
        [chip("Leave out", lambda: go(_address(tuple(i for i in ids if i != ids[place]))))] if len(ids) > LEAST else []
    )
    return row(mark, link(named(each.title), route), *leave)


@component
def Verdict(found: Comparison) -> Any:
    """Who is better, in a sentence; where that cannot be said, the one press that makes it possible."""
    engine = use_engine()
    runs = use_topic(engine.runs.list, every=0.5)
    problem, trying = use_attempt()
    blocks: list[ft.Control] = [label(found.verdict)]
    if found.note:
        blocks.append(muted(found.note, size=14))
    versions = [each.version for each in found.subjects if each.version]
    run = next((run for run in runs if all(evaluates(run, each.title) for each in found.subjects)), None)

    async def evaluate() -> None:
        await engine.outcomes.evaluate_all([engine.outcomes.folder.find(each) for each in versions])

    if run is not None and at_work(run):
        blocks.append(AtWork(run.id))
    elif not found.rows and len(versions) == len(found.subjects):
        press = Busy("Ask all of them the same rows", "Starting", trying(evaluate), icon=ft.Icons.BALANCE, main=False)
        blocks.append(row(press))
    elif found.rows:
        won = zip(found.subjects, found.wins, strict=True)
        words = [badge(f"{named(each.title)}: best alone on {wins}", "plain") for each, wins in won]
        blocks.append(row(*words, muted(f"{found.ties} of {found.rows} answered alike", size=14)))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return card(ft.Column(blocks, spacing=S2, tight=True))


@component
def Onward(each: Subject) -> Any:
    """A new run from one of them: its recipe again, to be changed and reviewed."""
    engine, session = use_engine(), use_session()
    problem, trying = use_attempt()

    async def again() -> None:
        review_draft(engine, session, await engine.outcomes.follow_up(each.version, {}))

    if not each.version:
        return row(muted(f"{each.title} became no version.", size=14), link("Open the run", f"/runs/{each.run}"))
    words = f"New run like {named(each.title)}"
    press = Busy(words, "Planning", trying(again), icon=ft.Icons.REPLAY, main=False)
    return ft.Column([row(press), *([ErrorCard(problem)] if problem is not None else [])], spacing=S3)
