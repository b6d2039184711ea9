"""A certificate of parity, drawn: every check with its figures, why an export answers otherwise, and the answers."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.spec.exports import Certificate, Check, Exchange
from studio.hooks import use_surroundings
from studio.kit import answer, bar, beside, body, component, label, muted, one_line, plural, quiet, row, short
from studio.theme import RADIUS_CARD, S1, S2, S3, Ink


@component
def CertificateView(found: Certificate) -> Any:
    """The whole certificate."""
    more, show = ft.use_state(False)
    narrow = use_surroundings().columns == 1
    icon, color = (ft.Icons.VERIFIED_OUTLINED, Ink.GREEN) if found.passed else (ft.Icons.GPP_BAD_OUTLINED, Ink.RED)
    head = ft.Row(
        [ft.Icon(icon, color=color, size=28), label(found.verdict, expand=True)],
        spacing=S3,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )
    rests = f"{plural(found.prompts, 'prompt')}, read by {found.runtime}."
    blocks: list[ft.Control] = [head, muted(rests, size=14), *(_check(each) for each in found.checks)]
    blocks += [muted(note, size=14) for note in found.notes]
    if found.exchanges:
        words = "Hide the answers" if more else f"Show the answers ({len(found.exchanges)})"
        blocks.append(row(quiet(words, lambda: show(not more))))
        blocks += [_exchange(each, narrow) for each in found.exchanges] if more else []
    return ft.Container(
        ft.Column(blocks, spacing=S3, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
        border=ft.Border.all(1, color),
        border_radius=RADIUS_CARD,
        padding=S3,
    )


def _check(each: Check) -> ft.Control:
    icon, color = (ft.Icons.CHECK_CIRCLE, Ink.GREEN) if each.passed else (ft.Icons.CANCEL, Ink.RED)
    mark = ft.Icon(icon, color=color, size=18, semantics_label="passed" if each.passed else "failed")
    words: list[ft.Control] = [label(each.name), body(each.words)]
    if each.measured is not None and each.allowed is not None:
        words.append(_gauge(each.measured, each.allowed, each.passed))
    return ft.Row(
        [mark, ft.Column(words, spacing=2, expand=True, tight=True)],
        spacing=S2,
        vertical_alignment=ft.CrossAxisAlignment.START,
    )


def _gauge(value: float, allowed: float, passed: bool) -> ft.Control:
    """What was measured beside what is allowed; the fuller the bar, the nearer to the limit."""
    share = value / allowed if allowed else float(not passed)
    picture = bar(share if share == share else 1.0, color=Ink.GREEN if passed else Ink.RED, name="of what is allowed")
    words = muted(f"{short(value)} measured, {short(allowed)} allowed")
    return ft.Row([ft.Container(picture, width=160), words], spacing=S3, wrap=True)


def _exchange(each: Exchange, narrow: bool) -> ft.Control:
    apart = "the same" if each.split_at is None else f"parts at token {each.split_at}"
    if each.margin is not None:
        apart += f", the trained model preferred its own by {short(each.margin)} logits"
    pair = [
        answer("Trained", each.trained, each.exported, color=Ink.PURPLE),
        answer("Exported", each.exported, each.trained, color=Ink.FILL),
    ]
    return ft.Column([one_line(each.prompt), muted(apart), beside(pair, narrow)], spacing=S1 + 2, tight=True)
