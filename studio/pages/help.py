"""Help: guides and glossary, searched as one types, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flet as ft

from studio.frame import frame
from studio.guides import Guide, Term, guide, guides, search
from studio.hooks import go, use_surroundings
from studio.kit import Below, TextField, body, card, component, empty, label, link, muted, primary, section, title
from studio.palette import CheatSheet
from studio.theme import BODY, MONO, S2, S3, Ink

WIDEST = 860


@component
def HelpPage() -> Any:
    """The list of guides, the glossary, and what fits the words."""
    surroundings = use_surroundings()
    words, set_words = ft.use_state("")
    found, named = ft.use_memo(lambda: search(words), [words])
    blocks: list[ft.Control] = []
    if found:
        blocks.append(section("Guides", _list([_guide(each) for each in found])))
    below: list[ft.Control] = []
    if not words:
        below.append(section("Keys", card(CheatSheet())))
    if named:
        below.append(section("Glossary", card(_list([term_line(each) for each in named]))))
    blocks.append(Below(below))
    if not found and not named:
        blocks.append(empty(ft.Icons.SEARCH_OFF, "Nothing fits.", "Try one word, such as memory or rank."))
    return frame(
        surroundings,
        title("Help"),
        ft.Container(TextField(words, set_words, hint="Search guides and glossary"), width=340),
        *blocks,
        widest=WIDEST,
    )


def _list(lines: Sequence[ft.Control]) -> ft.Control:
    return ft.Column(list(lines), spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _guide(each: Guide) -> ft.Control:
    inside = ft.Column(
        [label(each.title), muted(each.lead, max_lines=1, overflow=ft.TextOverflow.ELLIPSIS)], spacing=2, tight=True
    )
    return card(inside, on_click=lambda: go(f"/help/{each.id}"), padding=12, name=each.title)


def term_line(each: Term) -> ft.Control:
    """A term with its meaning and its example."""
    return ft.Column([label(each.term), body(each.meaning), muted(f"Example: {each.example}")], spacing=2, tight=True)


@component
def GuidePage() -> Any:
    """One guide."""
    surroundings = use_surroundings()
    found = guide(ft.use_route_params().get("guide", ""))
    if found is None:
        missing = empty(
            ft.Icons.MENU_BOOK_OUTLINED,
            "There is no such guide.",
            "It may have another name now.",
            primary("All guides", lambda: go("/help")),
        )
        return frame(surroundings, title("Help"), missing, widest=WIDEST)
    at = guides().index(found)
    after = guides()[(at + 1) % len(guides())]
    text = found.text.partition("\n")[2]
    return frame(
        surroundings,
        title(found.title),
        _markdown(text),
        ft.Row([link("All guides", "/help"), link(f"Next: {after.title}", f"/help/{after.id}")], wrap=True, spacing=S2),
        widest=WIDEST,
    )


def _markdown(text: str) -> ft.Control:
    style = ft.TextStyle(size=BODY, color=Ink.TEXT, height=1.6)
    return ft.Markdown(
        text,
        selectable=True,
        extension_set=ft.MarkdownExtensionSet.COMMON_MARK,
        md_style_sheet=ft.MarkdownStyleSheet(
            p_text_style=style,
            list_bullet_text_style=style,
            code_text_style=ft.TextStyle(size=13, font_family=MONO, color=Ink.TEXT, bgcolor=Ink.SURFACE),
            block_spacing=12,
        ),
    )
