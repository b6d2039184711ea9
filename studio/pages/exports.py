"""Exports: a version in other forms, what each is for, how far it is, where its files are, and its certificate."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

import flet as ft

from engine.core.home import given_path
from engine.results.export_offers import Offer
from engine.results.exports import Exported
from engine.results.listing import Listed
from engine.spec.exports import Quant
from engine.spec.records import RunState
from studio.frame import frame
from studio.hooks import go, use_attempt, use_engine, use_latest, use_session, use_surroundings, use_topic
from studio.kit import (
    Busy,
    Choice,
    ErrorCard,
    TextField,
    ago,
    badge,
    bar,
    body,
    card,
    columns,
    component,
    danger,
    dot,
    empty,
    gigabytes,
    icon_button,
    label,
    link,
    loading,
    muted,
    notice,
    percent,
    primary,
    quiet,
    row,
    section,
    title,
    toast,
)
from studio.pages.evaluation_start import at_work
from studio.pages.exports_certificate import CertificateView
from studio.pages.written import Written
from studio.theme import S2, S3, S4, Ink
from studio.undo import delete_later

if TYPE_CHECKING:
    from engine.runs.views import RunView

QUANTS = {
    "f16": "f16, as trained",
    "q8_0": "q8_0, half the size",
    "q5_k_m": "q5_k_m, a third",
    "q4_k_m": "q4_k_m, the smallest",
}
USUAL_QUANT = "q8_0"


def use_exports() -> tuple[Exported, ...]:
    """The exports of the Home but for those that are being deleted."""
    engine, session = use_engine(), use_session()
    found = use_topic(engine.exports.list, every=0.5)
    leaving = use_topic(session.leaving, every=0.0)
    return tuple(each for each in found if each.export.id not in leaving)


@component
def ExportList() -> Any:
    """The page of every export of the Home."""
    surroundings = use_surroundings()
    found = use_exports()
    lines: list[ft.Control] = [ExportCard(each, True, key=each.export.id) for each in found]  # type: ignore[call-arg]
    if not found:
        lines = [
            empty(
                ft.Icons.OUTBOX_OUTLINED,
                "No exports yet.",
                "A version can leave as an adapter, a merged model, a GGUF file and more, proven to answer the same.",
                primary("See the versions", lambda: go("/versions")),
            )
        ]
    return frame(
        surroundings,
        title("Exports"),
        ft.Column(lines, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
        actions=(link("All versions", "/versions"),),
    )


@component
def VersionExports(each: Listed) -> Any:
    """The exports of one version, and every form that it can or cannot be had in."""
    found = use_exports()
    own = [one for one in found if one.export.version == each.version.id]
    blocks: list[ft.Control] = []
    if own:
        cards = [ExportCard(one, False, key=one.export.id) for one in own]  # type: ignore[call-arg]
        blocks.append(section("Exported", *cards))
    blocks.append(Forms(each))
    return ft.Column(blocks, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Forms(each: Listed) -> Any:
    """The forms, those that can be had first."""
    engine = use_engine()
    surroundings = use_surroundings()
    count = 1 if surroundings.columns == 1 else 2
    place, set_place = ft.use_state("")
    found, problem, again = use_latest(lambda: engine.exports.offers(each.version.id), [each.version.id, each.archived])
    if problem is not None:
        return section("Export it as", ErrorCard(problem, again=again))
    if found is None:
        return section("Export it as", loading("Looking at what can be had"))
    forms = [list(offers) for _, offers in groupby(found, lambda offer: offer.form)]
    forms.sort(key=lambda offers: not any(offer.offered for offer in offers))
    cards = [FormCard(each.version.id, offers, place) for offers in forms]
    where = ft.Container(
        TextField(place, set_place, label="Folder (optional)", hint="Empty or new; otherwise the Home keeps it"),
        width=420,
    )
    note = "Each export is asked the same prompts as the trained model, and gets a certificate of what came out."
    into = [] if surroundings.confined else [ft.Row([where], wrap=True)]
    return section("Export it as", muted(note, size=14), *into, columns(cards, count))


@component
def FormCard(version_id: str, offers: list[Offer], place: str) -> Any:
    """One form: what it is for, its number formats, the room it needs; or why it cannot be had."""
    engine, confined = use_engine(), use_surroundings().confined
    there = [offer for offer in offers if offer.offered]
    usual = next((offer for offer in there if offer.quant == USUAL_QUANT), (there or offers)[0])
    quant, set_quant = ft.use_state(str(usual.quant))
    problem, trying = use_attempt()
    chosen = next((offer for offer in there if offer.quant == quant), usual)

    async def start() -> None:
        wanted = None if chosen.quant == "none" else cast(Quant, chosen.quant)
        into = given_path(place) if place.strip() and not confined else None
        await engine.exports.start(version_id, chosen.form, wanted, into)
        toast(f"{chosen.title}: the export begins.")

    head = row(label(usual.title), *([] if there else [badge("not here", "plain")]))
    blocks: list[ft.Control] = [head, body(usual.about)]
    if not there:
        blocks.append(muted(usual.why_not, size=14, selectable=True))
        return card(ft.Column(blocks, spacing=S2, tight=True))
    if len(offers) > 1:
        options = [(offer.quant, QUANTS[offer.quant]) for offer in there]
        blocks.append(Choice(chosen.quant, options, set_quant, label="Number format", width=240))
        blocks += [muted(reason) for reason in dict.fromkeys(o.why_not for o in offers if not o.offered)]
    press = Busy(f"Export as {chosen.form}", "Checking", trying(start), icon=ft.Icons.OUTBOX_OUTLINED, main=False)
    blocks.append(row(press, muted(f"needs {gigabytes(chosen.bytes)}", size=14)))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return card(ft.Column(blocks, spacing=S2, tight=True))


@component
def ExportCard(each: Exported, named: bool) -> Any:
    """One export: its state, where it is, whether it answers as trained; `named` tells of which version it is."""
    engine = use_engine()
    runs = use_topic(engine.runs.list, every=0.5)
    open_, set_open = ft.use_state(False)
    run = next((run for run in runs if run.id == each.export.id), None)
    state = run.state if run is not None else each.state
    export = each.export
    form = f"{export.form} {export.quant}" if export.quant != "none" else export.form
    head = row(label(f"{export.title}, {form}" if named else form), dot(state), _proof(each, state))
    facts = [ago(export.made), *([gigabytes(each.bytes)] if each.bytes else [])]
    blocks: list[ft.Control] = [head, muted(" · ".join(facts), size=14)]
    if run is not None and at_work(run):
        blocks.append(_progress(run, lambda: engine.runs.stop(run.id)))
    elif run is not None and run.error is not None:
        blocks.append(ErrorCard(run.error))
    if each.bytes:
        blocks.append(Written(export.folder))
    if each.certificate is not None:
        blocks += [
            notice("bad", f"It does not answer as trained: {one.cause}.", one.words)
            for one in each.certificate.mismatches
        ]
        blocks.append(
            row(quiet("Hide the certificate" if open_ else "Show the certificate", lambda: set_open(not open_)))
        )
        if open_:
            blocks.append(CertificateView(each.certificate))
    deeds: list[ft.Control] = [link("Open the version", f"/versions/{export.version}")] if named else []
    if run is None or not at_work(run):
        deeds.append(Delete(each))
    return card(ft.Column([*blocks, row(*deeds)], spacing=S2, tight=True))


def _proof(each: Exported, state: RunState) -> ft.Control:
    if each.certificate is None:
        return badge("not compared yet" if state is not RunState.FAILED else "not compared", "plain")
    if each.certificate.passed:
        return badge("answers as trained", "good")
    return badge("answers otherwise", "bad")


def _progress(run: RunView, stop: Any) -> ft.Control:
    words = "Waiting for its turn." if run.state is RunState.CREATED else run.message or "Exporting and comparing."
    share = run.progress or None if run.state.active else 0.0
    said = f"{words} {percent(run.progress)}" if run.progress else words
    return ft.Column([body(said), bar(share, name="Export"), row(quiet("Stop", stop, icon=ft.Icons.STOP))], spacing=S2)


@component
def Delete(each: Exported) -> Any:
    """Deletes an export once it was confirmed, with a way back for a moment; files in a folder of the user's stay."""
    engine, session = use_engine(), use_session()
    asked, ask = ft.use_state(False)
    kept = not engine.exports.folders.keeps(each.export)

    async def delete() -> None:
        ask(False)
        await delete_later(session, (each.export.id,), "The export is deleted.", engine.exports.delete)

    if not asked:
        name = f"Delete {each.export.form} {each.export.quant}".removesuffix(" none")
        return icon_button(ft.Icons.DELETE_OUTLINE, name, lambda: ask(True), color=Ink.RED)
    why = "Its files are in a folder of yours and stay there." if kept else f"That frees {gigabytes(each.bytes)}."
    press = danger("Delete it", delete, icon=ft.Icons.DELETE_OUTLINE)
    return notice("bad", "Delete this export?", why, press, quiet("Keep it", lambda: ask(False)))
