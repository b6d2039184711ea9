"""Versions: every model that came out of a run, as a timeline under each name, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import flet as ft

from engine.results.care import Space
from engine.results.listing import Listed
from studio.frame import frame
from studio.hooks import go, use_engine, use_latest, use_session, use_surroundings, use_topic
from studio.kit import (
    Busy,
    ErrorCard,
    TextField,
    ago,
    badge,
    card,
    chip,
    component,
    empty,
    gigabytes,
    heading,
    icon_button,
    label,
    link,
    loading,
    muted,
    named,
    notice,
    plural,
    primary,
    quiet,
    row,
    secondary,
    short,
    title,
    toast,
)
from studio.pages.evaluation_parts import BANDS, OUTCOMES, interval
from studio.pages.versions_care import Ask, care_for
from studio.theme import S1, S2, S3, Ink

SHOWN = 30
MOST_COMPARED = 5
OFFERED = 3
"""Versions that a full disk names as those that could go."""


@component
def VersionList() -> Any:
    """The page."""
    engine = use_engine()
    surroundings = use_surroundings()
    changed = use_topic(engine.outcomes.changed, every=0.5)
    versions = use_topic(engine.outcomes.versions, every=0.5)
    chosen, choose = ft.use_state(tuple[str, ...]())
    words, search = ft.use_state("")
    shown, show = ft.use_state(SHOWN)
    every, problem, again = use_latest(engine.outcomes.listed, [changed, versions])
    leaving = use_topic(use_session().leaving, every=0.0)
    found = every and tuple(each for each in every if each.version.id not in leaving)
    space, _, _ = use_latest(engine.outcomes.space, [changed, versions])

    def toggle(version_id: str) -> None:
        choose(lambda now: tuple(e for e in now if e != version_id) if version_id in now else (*now, version_id))

    if problem is not None:
        content: list[ft.Control] = [ErrorCard(problem, again=again)]
    elif found is None:
        content = [loading("Reading the versions")]
    elif not found:
        content = [_nothing()]
    else:
        fitting = [each for each in found if _fits(each, words)]
        content = [
            *([_low_disk(space)] if space is not None and space.low else []),
            row(ft.Container(TextField(words, search, label="Find a version"), width=320)),
            *_groups(fitting[:shown], found, chosen, toggle),
        ]
        if not fitting:
            content.append(empty(ft.Icons.SEARCH_OFF, "No version fits.", "Try fewer words, or a tag."))
        if len(fitting) > shown:
            rest = f"Show {plural(min(SHOWN, len(fitting) - shown), 'more version')}"
            content.append(row(secondary(rest, lambda: show(lambda now: now + SHOWN))))
    return frame(
        surroundings,
        title("Versions"),
        *content,
        actions=_actions(chosen, lambda: choose(lambda _: ())),
    )


def _nothing() -> ft.Control:
    return empty(
        ft.Icons.LAYERS_OUTLINED,
        "No versions yet.",
        "Every completed run becomes a version you can talk to, measure and keep.",
        primary("Fine-tune a model", lambda: go("/new")),
    )


def _fits(each: Listed, words: str) -> bool:
    version = each.version
    told = " ".join((version.title, version.dataset, version.model, version.method, version.notes, *version.tags))
    return all(word in told.casefold() for word in words.casefold().split())


def _actions(chosen: tuple[str, ...], forget: Callable[[], None]) -> tuple[ft.Control, ...]:
    if not chosen:
        return (link("Open a capsule", "/capsule"), link("All exports", "/exports"))
    sure = 2 <= len(chosen) <= MOST_COMPARED
    words = f"Compare {len(chosen)}" if sure else f"Compare: choose 2 to {MOST_COMPARED}"
    to_compare = "/compare?ids=" + ",".join(chosen)
    return (
        quiet("Choose none", forget),
        primary(words, lambda: go(to_compare), icon=ft.Icons.COMPARE_ARROWS, disabled=not sure),
    )


def _groups(
    fitting: list[Listed], found: tuple[Listed, ...], chosen: tuple[str, ...], toggle: Callable[[str], None]
) -> list[ft.Control]:
    """A timeline for each name; the name with the newest version first."""
    order = list(dict.fromkeys(each.version.name for each in fitting))
    grouped = groupby(sorted(fitting, key=lambda each: order.index(each.version.name)), lambda each: each.version.name)
    blocks: list[ft.Control] = []
    for name, members in grouped:
        every = [each for each in found if each.version.name == name]
        lines = [VersionCard(each, _parent(each, found), each.version.id in chosen, toggle) for each in members]
        blocks.append(
            ft.Column([GroupHead(name, every), *lines], spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
        )
    return blocks


def _parent(each: Listed, found: tuple[Listed, ...]) -> str:
    """The number of the version that this one went on from; its id when that is gone."""
    origin = each.version.parent
    return next((other.version.number for other in found if other.version.id == origin), origin)


@component
def GroupHead(name: str, versions: list[Listed]) -> Any:
    """The name, which of its versions is in use, and the way back to the one before."""
    engine = use_engine()
    used = next((each for each in versions if each.active), None)

    async def back() -> None:
        done = await engine.outcomes.care_for(name, "back")
        toast(f"{done.title} is in use again.")

    state = f"{used.version.number} is in use" if used else "none is in use"
    words = f"{plural(len(versions), 'version')}, {state}"
    head = ft.Column(
        [heading(name, max_lines=2, overflow=ft.TextOverflow.ELLIPSIS), muted(words, size=14)], spacing=0, expand=True
    )
    offered = used is not None and len(versions) > 1
    deeds = [Busy("Roll back", "Rolling back", back, icon=ft.Icons.UNDO, main=False)] if offered else []
    return ft.Row([head, *deeds], spacing=S3)


@component
def VersionCard(each: Listed, parent: str, chosen: bool, toggle: Callable[[str], None]) -> Any:
    """One version on the timeline: where it came from, how good it is, what to do with it."""
    engine = use_engine()
    asked, ask = ft.use_state("")
    version = each.version
    narrow = use_surroundings().columns == 1

    async def use() -> None:
        await care_for(engine, version, "use")

    def talk() -> None:
        go(f"/playground/{version.id}")

    facts = [version.model, version.dataset, version.method, ago(version.made), gigabytes(each.size.bytes)]
    if parent:
        facts.insert(0, f"goes on from {parent}")
    loss = version.metrics.get("validation_loss")
    if loss is not None:
        facts.append(f"held-out loss {short(loss)}")
    deeds: list[ft.Control] = [secondary("Open", lambda: go(f"/versions/{version.id}"))]
    if each.usable:
        deeds.append(secondary("Talk to it", talk, icon=ft.Icons.CHAT_BUBBLE_OUTLINE))
    if each.usable and not each.active:
        deeds.append(icon_button(ft.Icons.PUSH_PIN_OUTLINED, f"Use {version.number}", use))
    if each.archived:
        restore = f"Restore {version.number}"
        deeds.append(icon_button(ft.Icons.UNARCHIVE_OUTLINED, restore, lambda: ask("restore")))
    elif not each.active:
        deeds.append(icon_button(ft.Icons.ARCHIVE_OUTLINED, f"Archive {version.number}", lambda: ask("archive")))
    if not each.active:
        delete = f"Delete {version.number}"
        deeds.append(icon_button(ft.Icons.DELETE_OUTLINE, delete, lambda: ask("delete"), color=Ink.RED))
    mark = "Chosen to compare" if chosen else "Compare"
    deeds.append(chip(mark, lambda: toggle(version.id), icon=ft.Icons.COMPARE_ARROWS, selected=chosen))
    blocks = [
        row(label(version.number), *badges(each), *(muted(f"#{tag}") for tag in version.tags)),
        muted(" · ".join(fact for fact in facts if fact), size=14),
        Standing(each),
        *([muted(version.notes, size=14, max_lines=2, overflow=ft.TextOverflow.ELLIPSIS)] if version.notes else []),
        *problems(each),
        *([Ask(each, asked, lambda: ask(""))] if asked else []),
        row(*deeds),
    ]
    box = card(ft.Column(blocks, spacing=S2, tight=True), selected=chosen)
    return box if narrow else _on_rail(box, each.active)


def _on_rail(box: ft.Control, active: bool) -> ft.Control:
    """The card beside the line of time; the one in use has a filled mark."""
    icon = ft.Icons.CHECK_CIRCLE if active else ft.Icons.CIRCLE_OUTLINED
    mark = ft.Icon(icon, size=16, color=Ink.PRIMARY if active else Ink.FIELD)
    line = ft.Container(width=2, bgcolor=Ink.BORDER, expand=True)
    rail = ft.Column([ft.Container(height=S3), mark, line], spacing=S1, width=16,
                     horizontal_alignment=ft.CrossAxisAlignment.CENTER)  # fmt: skip
    return ft.Row(
        [rail, ft.Container(box, expand=True)],
        spacing=S3,
        vertical_alignment=ft.CrossAxisAlignment.STRETCH,
        intrinsic_height=True,
    )


def badges(each: Listed) -> list[ft.Control]:
    """In use, archived, a whole model: what a version is at the moment."""
    found = []
    if each.active:
        found.append(badge("in use", "info"))
    if each.archived:
        found.append(badge("archived", "plain"))
    if each.version.whole:
        found.append(badge("whole model", "tuned"))
    return found


def problems(each: Listed) -> list[ft.Control]:
    """What is wrong with its base, and with its own files."""
    return [ErrorCard(card_, tone="warn") for card_ in (each.base_problem, each.files_problem) if card_]


def Standing(each: Listed) -> ft.Control:
    """How good it was found: outcome, score with its band, and the main measure with its interval."""
    if each.main is None:
        return muted(
            "Not evaluated yet." if each.outcome == "not evaluated" else f"Evaluated: {each.outcome}.", size=14
        )
    words: list[ft.Control] = [badge(each.outcome, OUTCOMES.get(each.outcome, "plain"))]
    if each.score is not None and each.band is not None:
        words.append(badge(f"{each.score:.0f} of 100, {each.band}", BANDS[each.band]))
    words.append(muted(f"{each.measure} {interval(each.main, each.unit)}", size=14))
    return row(*words)


def _low_disk(space: Space) -> ft.Control:
    """Asks for room, and says what could go."""
    return notice("warn", "The disk is nearly full.", _room(space), *_could_go(space))


def _room(space: Space) -> str:
    return (
        f"{gigabytes(space.free)} of {gigabytes(space.total)} are free. Archive or delete versions that are no longer "
        "needed; the largest are:"
    )


def _could_go(space: Space) -> list[ft.Control]:
    idle = [each for each in space.versions if not each.active and each.size.reclaimable][:OFFERED]
    return [
        secondary(
            f"{named(each.title)} ({gigabytes(each.size.reclaimable)})",
            lambda each=each: go(f"/versions/{each.version}"),
        )
        for each in idle
    ]
