"""The evaluation of a version: base beside tuned on rows that training never saw, and the evidence for a difference."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine.results.agreement import in_words
from engine.results.deciding import STARS
from engine.results.evaluation import Evaluation
from engine.results.listing import Listed
from engine.results.measured import Judged, Result
from engine.results.score import Part, Score
from engine.results.verdict import chance, difference
from studio.hooks import use_engine, use_latest, use_surroundings
from studio.kit import (
    Below,
    Choice,
    ErrorCard,
    badge,
    bar,
    beside,
    body,
    card,
    color_key,
    component,
    figures,
    label,
    loading,
    muted,
    number,
    row,
    section,
    share_words,
)
from studio.model_colors import use_version_color
from studio.pages.evaluation_checks import checks_of
from studio.pages.evaluation_examples import Confused, Examples
from studio.pages.evaluation_judge import Judge
from studio.pages.evaluation_parts import BANDS, OUTCOMES, interval, measured, named_measure
from studio.pages.evaluation_start import Measure
from studio.theme import S1, S2, S3, S4, Ink

SIDES = {"held-out": "held-out rows", "test": "test rows", "all": "all rows"}
WIDTHS = (190, 170, 170, 200, 130)
ROOMY = 960
"""Width of a page that has room for the wide columns."""
NARROW_WIDTHS = (130, 150, 150, 180, 120)


@component
def Evaluations(each: Listed, changed: int) -> Any:
    """The newest evaluation, those before it on demand, and the way to another."""
    engine = use_engine()
    chosen, choose = ft.use_state("")
    color = use_version_color(each.version.id)
    found, problem, again = use_latest(lambda: engine.outcomes.evaluations(each.version.id), [each.version.id, changed])
    if problem is not None:
        return ErrorCard(problem, again=again)
    if found is None:
        return loading("Reading its evaluations")
    blocks: list[ft.Control] = []
    shown = next((one for one in found if one.run == chosen), found[0] if found else None)
    if shown is not None and len(found) > 1:
        options = [(one.run, _called(one, place)) for place, one in enumerate(found)]
        blocks.append(row(Choice(shown.run, options, choose, label="Evaluation", width=320)))
    if shown is not None:
        blocks.append(Found(shown, color, key=shown.run))  # type: ignore[call-arg]
        judge = Judge(each.version.id, shown.run, shown.judged is not None)
        blocks.append(Below([judge, Measure(each, False, checks_of(found))], S4))
    else:
        blocks.append(Measure(each, True))
    return ft.Column(blocks, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _called(one: Evaluation, place: int) -> str:
    age = "the newest" if place == 0 else f"{place} before"
    return f"{one.base.examples} {SIDES[one.side]}, {age}"


@component
def Found(found: Evaluation, color: str) -> Any:
    """Verdict, score, every measure, and the examples; `color` is the version's."""
    narrow = use_surroundings().columns == 1
    verdict = ft.Column(
        [row(badge(found.outcome, OUTCOMES.get(found.outcome, "plain"))), label(found.verdict)],
        spacing=S2,
        tight=True,
    )
    blocks: list[ft.Control] = [card(verdict)]
    if found.score is not None:
        blocks.append(_scores(found.score, found.base_score, color, narrow))
    blocks.append(Measures(found, color))
    blocks += [ErrorCard(problem, tone="warn") for problem in found.problems]
    below: list[ft.Control] = [] if found.judged is None else [_judged(found.judged, color)]
    if found.confusion is not None:
        below.append(Confused(*found.confusion))
    blocks.append(Below([*below, Examples(found, color)], S4))
    return ft.Column(blocks, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _scores(tuned: Score, base: Score | None, color: str, narrow: bool) -> ft.Control:
    whole: list[ft.Control] = [
        number("not scored" if tuned.value is None else f"{tuned.value:.0f}", size=28, color=color)
    ]
    if tuned.band is not None:
        whole.append(badge(tuned.band, BANDS[tuned.band]))
    before = "" if base is None or base.value is None else f"the base {base.value:.0f}"
    head = ft.Column(
        [ft.Row(whole, spacing=S2), *([muted(before, size=14)] if before else []), body(tuned.words)],
        spacing=S1,
        expand=1,
    )
    parts = ft.Column([_part(each, color) for each in tuned.parts], spacing=S3, expand=1)
    return section("Score", card(beside([head, parts], narrow)))


def _part(part: Part, color: str) -> ft.Control:
    weight = f"{100 * part.weight:.0f} % of a full score"
    if part.value is None:
        return ft.Column([body(f"{part.name.capitalize()}: not measured"), muted(weight)], spacing=0, tight=True)
    words = f"{part.name.capitalize()}: {part.value:.0f}"
    from_ = f"{weight}, from {part.measure}"
    return ft.Column(
        [body(words), bar(part.value / 100, color=color, name=part.name), muted(from_)], spacing=2, tight=True
    )


@component
def Measures(found: Evaluation, color: str) -> Any:
    """Every measure of both models with intervals, the difference, and whether that is more than chance."""
    narrow = use_surroundings().content < ROOMY
    head = ("measure", *_sides(color), "difference (95 % interval)", "")
    rows = [_row(each) for each in found.results]
    note = (
        "In brackets: the interval that holds the true value nineteen times in twenty; without a spread there is "
        f"none. p is corrected for all that was tested together. {found.base.examples} examples."
    )
    return section("Measures", figures(head, rows, NARROW_WIDTHS if narrow else WIDTHS), muted(note))


def _sides(color: str) -> tuple[ft.Control, ft.Control]:
    """The heads of what the base and the version did, in the colours they have everywhere."""
    return color_key(Ink.BASE, "base"), color_key(color, "tuned")


def _row(each: Result) -> list[str | ft.Control]:
    unit, paired = each.measure.unit, each.difference
    middle = measured(paired.difference, unit, sign=True)
    low, high = measured(paired.low, unit, sign=True), measured(paired.high, unit, sign=True)
    bounds = f" ({low.removesuffix(' points')} to {high})"
    return [
        named_measure(each.measure),
        body(interval(each.base, unit), color=Ink.MUTED),
        body(interval(each.tuned, unit)),
        middle.removesuffix(" points") + bounds if paired.has_interval else middle,
        _shown(each),
    ]


def _shown(each: Result) -> ft.Control:
    """Better, worse, or nothing shown; in words, with the chance that it is none."""
    if each.measure.better == "neither":
        return muted("describes only")
    if not each.difference.shown:
        return muted(f"not shown, {chance(each.difference.corrected)}")
    good = (each.difference.difference > 0) is (each.measure.better == "more")
    words = f"{'better' if good else 'worse'}, {chance(each.difference.corrected)}"
    return badge(words, "good" if good else "bad")


def _judged(found: Judged, color: str) -> ft.Control:
    rows: list[list[str | ft.Control]] = [
        [
            each.criterion,
            f"{each.base:.2f}",
            f"{each.tuned:.2f}",
            difference(STARS, each.difference) if found.counts else f"{each.difference.difference:+.2f}",
        ]
        for each in found.criteria
    ]
    words = f"Judge: {found.judge}. {found.standing}"
    if found.not_judged:
        words += f" For {found.not_judged} it gave no usable answer."
    if found.examples:
        words += f" On {share_words(found.flipped)} the order of the answers decided."
    words += f" {in_words(found.agreement)}"
    return section(
        "Judged, 1 to 5",
        figures(("criterion", *_sides(color), "difference"), rows, (140, 80, 80, 340)),
        muted(words),
    )
