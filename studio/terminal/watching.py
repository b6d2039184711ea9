"""Watching a run in the terminal: a bar, the loss as it falls, the time left. Reads the run folder; needs no app."""

from __future__ import annotations

import time

from rich.live import Live
from rich.text import Text

from engine.runs.follow import LiveRun
from engine.runs.views import RunView
from engine.spec.exits import Exit
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from studio.terminal.show import console, quiet, say, seconds_words, sparkline

POLL_SECONDS = 0.1
PLAIN_EVERY = 0.1
"""Without a terminal a line is printed at each tenth of the way."""


def watch(folder: RunFolder) -> RunView:
    """Follow a run until it ends; Ctrl-C only stops watching. Returns its last view."""
    live = LiveRun(folder)
    try:
        if console.is_terminal and not quiet.on:
            _drawn(live)
        else:
            _plain(live)
    except KeyboardInterrupt:
        say(f"\nNo longer watching; the run goes on. Come back with: peft-studio watch {folder.id}")
    while live.behind:
        live.poll()
    return live.view.value


def ended(view: RunView) -> bool:
    """Nothing more will come unless somebody acts."""
    return not view.state.active and view.state is not RunState.CREATED


def exit_code(view: RunView, folder: RunFolder) -> int:
    """The command's exit code: the worker's own, 0 for a run that is still at work."""
    if not ended(view) or view.state is RunState.COMPLETED:
        return 0
    written = folder.state().exit
    return written if written else int(Exit.CRASHED)


def _drawn(live: LiveRun) -> None:
    with Live(_picture(live), console=console, refresh_per_second=8, transient=False) as screen:
        while not ended(live.view.value):
            time.sleep(POLL_SECONDS)
            live.poll()
            screen.update(_picture(live))


def _picture(live: LiveRun) -> Text:
    view = live.view.value
    width = max(10, min(32, console.width - 60))
    filled = round(view.progress * width)
    text = Text.from_markup(f"[bold]{view.name}[/] ")
    text.append(f"{view.state.value:<12} ", style="green" if view.state.active else "yellow")
    text.append("━" * filled, style="blue")
    text.append("━" * (width - filled), style="bright_black")
    text.append(f" {100 * view.progress:3.0f} %  {view.step}/{view.total_steps}")
    if view.eta:
        text.append(f"  {seconds_words(view.eta.low)} to {seconds_words(view.eta.high)} left", style="dim")
    losses = live.series["loss"].values
    if len(losses):
        text.append("\n  loss ")
        text.append(sparkline(losses), style="cyan")
        text.append(f" {losses[-1]:.3f}")
        if view.validation_loss is not None:
            text.append(f"   held out {view.validation_loss:.3f}", style="magenta")
        if view.tokens_per_second:
            text.append(f"   {view.tokens_per_second:,.0f} tokens/s", style="dim")
    elif view.message:
        text.append(f"\n  {view.message}", style="dim")
    return text


def _plain(live: LiveRun) -> None:
    said = -1.0
    while not ended(live.view.value):
        time.sleep(POLL_SECONDS)
        live.poll()
        view = live.view.value
        if view.total_steps and view.progress >= said + PLAIN_EVERY and view.step:
            said = view.progress
            say(_line(view))
    say(_line(live.view.value))


def _line(view: RunView) -> str:
    words = [f"{view.name}: {view.state.value}, step {view.step}/{view.total_steps}"]
    if view.loss is not None:
        words.append(f"loss {view.loss:.3f}")
    if view.validation_loss is not None:
        words.append(f"held out {view.validation_loss:.3f}")
    if view.eta:
        words.append(f"about {seconds_words(view.eta.expected)} left")
    return ", ".join(words)
