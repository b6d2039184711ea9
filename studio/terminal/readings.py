"""A finished run in plain words: its quality score, what that rests on, what to try next, and how good the plan was."""

from __future__ import annotations

import msgspec
from rich.markup import escape

from engine.monitor.reading import Finding, Reading
from engine.runs.scoring import Scored, scored
from engine.runs.standing import Expectation, expectation
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from studio.terminal.show import bytes_words, console, print_card, seconds_words, state_words, table


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of one run; parts that are not there yet are None."""

    view: RunView
    reading: Reading | None
    expected: Expectation | None
    scored: Scored | None


def report_of(folder: RunFolder, view: RunView) -> RunReport:
    """Read off the run's folder. Raises OSError."""
    from engine.runs.reading import reading_of

    kept = reading_of(folder) if view.kind == "train" else None
    if kept:
        view = msgspec.structs.replace(view, quality=kept.reading.score, best_validation=kept.best_validation)
    return RunReport(
        view=view, reading=kept.reading if kept else None, expected=expectation(folder), scored=scored(folder)
    )


def print_report(report: RunReport) -> None:
    """The run, its reading, and its estimate."""
    view = report.view
    console.print(f"[bold]{escape(view.name)}[/] {state_words(view.state)} [dim]{view.id}[/]")
    about = (view.method or view.kind, view.model, view.dataset, f"step {view.step} of {view.total_steps}")
    console.print(escape(", ".join(part for part in (*about, seconds_words(view.seconds)) if part)))
    if view.error:
        print_card(view.error)
    if report.reading:
        print_reading(report.reading)
    print_estimate(report)


def print_reading(reading: Reading) -> None:
    """Score, words, parts, advice."""
    console.print(f"\n[bold]Quality {reading.score:.0f} of 100[/]")
    for words in reading.words:
        console.print(escape(words))
    table(("what it rests on", ">points", "seen"), [_part(each) for each in reading.findings])
    if reading.suggestions:
        console.print("To try next:")
    for suggestion in reading.suggestions:
        changes = " ".join(f"--set {each.setting}={_value(each.value)}" for each in suggestion.changes)
        console.print(f"  • {escape(suggestion.words)}" + (f" [dim]{escape(changes)}[/]" if changes else ""))


def _part(finding: Finding) -> list[str]:
    points = f"{finding.points:.0f} of {finding.most:.0f}" if finding.measured else "-"
    return [finding.part, points, escape(finding.what if finding.measured else finding.why)]


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def print_estimate(report: RunReport) -> None:
    """What was expected, and, once it is known, how near that came."""
    if report.scored:
        took = f"It took {seconds_words(report.scored.seconds)} and {bytes_words(report.scored.peak_bytes)} of memory."
        console.print(f"{took} {escape(report.scored.score.words)}")
    elif expected := report.expected:
        time = f"{seconds_words(expected.seconds.low)} to {seconds_words(expected.seconds.high)}"
        console.print(f"[dim]Expected: {time}, {bytes_words(expected.memory.expected)} of memory.[/]")
