"""The playground: one question, the replies of the base and its versions side by side; settings and history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flet as ft

from engine.playground import bare, speaker_of
from engine.results.versions import Version
from engine.serving.nouns import Conversation, Speaker
from engine.serving.talk import SPEAKERS, Talk
from studio.frame import frame
from studio.hooks import go, use_engine, use_keys, use_session, use_surroundings, use_task, use_topic
from studio.kit import Busy, Choice, ErrorCard, chip, component, empty, loading, muted, primary, row, secondary, title
from studio.pages.talk import Asked
from studio.pages.talk_history import History
from studio.pages.talk_prompt import Prompt
from studio.pages.talk_settings import Parameters
from studio.theme import S4

VIEWS = (("talk", "Talk"), ("settings", "Settings"), ("history", "History"))
PLAIN = ""


@component
def Playground() -> Any:
    """The conversation of this window; a new one for the version of the address, or for the newest version."""
    engine, session, surroundings = use_engine(), use_session(), use_surroundings()
    versions = use_topic(engine.outcomes.versions, every=0.5)
    talk = use_topic(session.talk, every=0.0)
    view, set_view = ft.use_state("talk")
    panel, set_panel = ft.use_state("settings")
    wanted = ft.use_route_params().get("version_id", "")
    version = next((each for each in versions if each.id == wanted), versions[0] if versions else None)
    speaks = talk is not None and any(each.id == wanted for each in talk.conversation.value.speakers)

    def begin() -> None:
        if version is not None and (talk is None or (wanted == version.id and not speaks)):
            session.talk.set(engine.playground.begin(version))

    ft.use_effect(begin, [wanted, version.id if version else "", talk is None])
    if talk is not None:
        wide = surroundings.columns == 3
        chosen, turn_to = (panel, set_panel) if wide else (view, set_view)
        return Going(talk, versions, chosen, turn_to, key=talk.id)  # type: ignore[call-arg]
    nothing = empty(
        ft.Icons.CHAT_BUBBLE_OUTLINE,
        "No tuned model to talk to yet.",
        "Fine-tune one; then ask it and its base the same question here.",
        primary("Fine-tune a model", lambda: go("/new")),
    )
    wait = loading("Opening the conversation")
    return frame(surroundings, title("Playground"), wait if version else nothing)


@component
def Going(talk: Talk, versions: tuple[Version, ...], view: str, turn_to: Callable[[str], None]) -> Any:
    """Everything about one conversation; `view` is what the panel shows, or the whole page where there is none."""
    engine, session, surroundings = use_engine(), use_session(), use_surroundings()
    conversation = use_topic(talk.conversation, every=0.0)
    busy = use_topic(talk.busy, every=0.0)
    use_task(talk.warm, [talk.id])

    def hear(pressed: str) -> bool:
        if pressed == "Escape":
            talk.stop()
        return pressed == "Escape"

    use_keys(hear, active=busy)

    def anew() -> None:
        chosen = [each for each in versions if any(each.id == speaker.id for speaker in conversation.speakers)]
        session.talk.set(engine.playground.begin(*(chosen or versions[:1])))

    wide = surroundings.columns == 3
    sides = {"settings": lambda: Parameters(talk), "history": lambda: History(talk)}
    tabs = VIEWS[1:] if wide else VIEWS
    switch = row(*(chip(words, lambda key=key: turn_to(key), selected=view == key) for key, words in tabs))
    side = [switch, sides[view]()] if wide else []
    shown = "talk" if wide else view
    content = [Turns(talk, conversation, versions)] if shown == "talk" else [sides[view]()]
    return frame(
        surroundings,
        title("Playground"),
        *([] if wide else [switch]),
        *content,
        actions=(secondary("New conversation", anew, icon=ft.Icons.ADD, disabled=not versions),),
        panel=ft.Column(side, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH) if wide else None,
        footer=Prompt(talk) if shown == "talk" else None,
        follow=shown == "talk" and bool(conversation.turns),
    )


@component
def Turns(talk: Talk, conversation: Conversation, versions: tuple[Version, ...]) -> Any:
    """Who answers, what is wrong, and what was said so far."""
    narrow = use_surroundings().columns == 1
    busy = use_topic(talk.busy, every=0.0)
    wait = use_topic(talk.loading, every=0.0)
    problem = use_topic(talk.problem, every=0.0)
    against, set_against = ft.use_state(PLAIN)
    side, set_side = ft.use_state("")
    speakers = conversation.speakers
    chosen = side if any(each.id == side for each in speakers) else speakers[-1].id
    compared = against if any(each.id == against for each in speakers) else PLAIN
    blocks: list[ft.Control] = [Speakers(talk, versions)]
    if narrow and len(speakers) > 1:
        tabs = [chip(each.title, lambda key=each.id: set_side(key), selected=each.id == chosen) for each in speakers]
        blocks.append(row(muted("Show"), *tabs))
    if wait:
        blocks.append(loading("Loading the model into memory"))
    if problem is not None:
        blocks.append(ErrorCard(problem, also=Busy("Try again", "Loading", talk.warm)))
    if not conversation.turns:
        blocks.append(muted("Ask something. The tuned model answers beside its base, from the same words.", size=14))
    for turn in conversation.turns:
        last = turn.id == conversation.turns[-1].id
        shown = chosen if narrow else ""
        blocks.append(Asked(talk, turn, speakers, busy, last, shown, compared, key=turn.id))  # type: ignore[call-arg]
    if conversation.turns and len(speakers) > 1:
        options = [(PLAIN, "Not marked"), *((each.id, f"Against {each.title}") for each in speakers)]
        blocks.append(Choice(compared, options, set_against, label="Differences", width=300))
    return ft.Column(blocks, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Speakers(talk: Talk, versions: tuple[Version, ...]) -> Any:
    """Who answers: the base, and up to three versions of it."""
    conversation = use_topic(talk.conversation, every=0.0)
    base = next((each for each in conversation.speakers if not each.tuned), None)
    speaking = [each.id for each in conversation.speakers]
    kin = [each for each in versions if each.model_path == conversation.model_path]
    offered = [
        base or bare(conversation.model),
        *(speaker_of(each) for each in kin),
    ]

    async def toggle(speaker: Speaker) -> None:
        chosen = [each for each in offered if (each.id in speaking) is not (each.id == speaker.id)]
        await talk.speak(chosen)
        await talk.warm()

    def one(speaker: Speaker) -> ft.Control:
        on = speaker.id in speaking
        possible = (on and len(speaking) > 1) or (not on and len(speaking) < SPEAKERS)

        async def press() -> None:
            await toggle(speaker)

        return chip(speaker.title, press if possible else None, selected=on)

    return row(muted("Answering"), *(one(each) for each in offered))
