"""`peft-studio export` and `exports`: versions in other forms, and whether each answers like the trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import msgspec
import typer
from rich.markup import escape

from engine import orders
from engine.core.errors import PlanError
from engine.core.home import Home
from engine.results.export_offers import Offer
from engine.results.exports import Exported, ExportFolders
from engine.spec.exports import QUANTS, WITH_MODELFILE, Certificate, Form, Quant
from engine.spec.folder import RunFolder
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.evaluating import VersionArgument
from studio.terminal.show import bytes_words, console, print_card, print_json, say, state_words, table
from studio.terminal.watching import exit_code, watch

Offers = tuple[Offer, ...]


@command
def export(
    version: VersionArgument = "last",
    to: Annotated[str, typer.Option("--to", help=f"{', '.join(get_args(Form))}. Without it: what can be had.")] = "",
    quant: Annotated[str, typer.Option(help=f"Number format of a GGUF file: {', '.join(QUANTS)}.")] = "",
    into: Annotated[
        Path | None, typer.Option(help="A folder that is empty or not there yet; otherwise the Home keeps the export.")
    ] = None,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="With --to ollama: the base and the adapter as a GGUF file each.")
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Bring a version into another form, and prove that it answers like the trained model."""
    place = Home.open(home)
    if not to:
        found = ask(place, orders.ListOffers(version=version), Offers)
        return print_json(found) if json else print_offers(found)
    wish = orders.Export(
        version=version,
        form=cast(Form, _one_of("form", _with_adapter(to) if adapter else to, get_args(Form))),
        quant=cast(Quant, _one_of("number format", quant, QUANTS)) if quant else None,
        into=str(into.expanduser().absolute()) if into else "",
    )
    run = ask(place, wish, orders.Started).run
    view = watch(RunFolder(place.runs / run))
    made = ExportFolders(place).find(run)
    if json:
        print_json({"run": run, "proven": made.proven, "error": view.error, **msgspec.structs.asdict(made)})
    else:
        if made.certificate:
            print_certificate(made.certificate)
        if view.error:
            print_card(view.error)
        elif made.proven:
            say(f"It is in {escape(made.export.folder)} ({bytes_words(made.bytes)}).")
    raise typer.Exit(exit_code(view, RunFolder(place.runs / run)))


def _with_adapter(form: str) -> str:
    """The form that keeps the adapter beside the base. Raises PlanError where there is none."""
    if form in WITH_MODELFILE:
        return "ollama-adapter"
    raise PlanError("Only Ollama packages can keep the adapter apart.", f"This is “{form}”.", "Leave --adapter away.")


def _one_of(what: str, word: str, choices: tuple[str, ...]) -> str:
    if word in choices:
        return word
    raise PlanError(f"There is no {what} “{word}”.", f"There are: {', '.join(choices)}.", "Choose one of them.")


@command
def exports(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the exports, newest first, and whether each was proven to answer like the trained model."""
    found = ExportFolders(Home.open(home)).all()
    if json:
        return print_json(found)
    rows = [
        [
            state_words(each.state),
            each.export.title,
            each.export.form + (f" {each.export.quant}" if each.export.quant != "none" else ""),
            _proof(each),
            bytes_words(each.bytes) if each.bytes else "",
            escape(each.export.folder),
        ]
        for each in found
    ]
    return table(("state", "version", "form", "answers as trained", ">size", "folder"), rows)


def _proof(each: Exported) -> str:
    if each.certificate is None:
        return "not compared yet"
    if each.certificate.passed:
        return "yes"
    return "no: " + ", ".join(mismatch.cause for mismatch in each.certificate.mismatches)


def print_offers(found: Offers) -> None:
    """Every form with its size, or why it cannot be had."""
    rows = [
        [
            each.form,
            each.quant if each.quant != "none" else "",
            bytes_words(each.bytes) if each.offered else "",
            escape(each.about if each.offered else f"not here: {each.why_not}"),
        ]
        for each in found
    ]
    table(("form", "format", ">room needed", "what it is"), rows)


def print_certificate(certificate: Certificate) -> None:
    """What was compared, and what came out."""
    console.print(f"[bold]{escape(certificate.verdict)}[/]")
    for check in certificate.checks:
        mark = "[green]ok[/]" if check.passed else "[red]no[/]"
        console.print(f"  {mark}  {check.name}: {escape(check.words)}")
    for note in certificate.notes:
        console.print(f"      {escape(note)}", style="dim")
