"""The demo: sample data in, a tuned model out, and the proof that it got better. The real pipeline, nothing else."""

from __future__ import annotations

import time
from importlib.resources import files

import anyio
import msgspec

from engine import orders
from engine.core.errors import RunError, StudioError
from engine.core.home import Home
from engine.data.nouns import Dataset
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from studio.terminal.evaluating import evaluate_version, print_evaluation
from studio.terminal.show import quiet, say, seconds_words
from studio.terminal.waiting import NO_VERSION, version_of
from studio.terminal.watching import watch


class DemoScores(msgspec.Struct, frozen=True):
    """Of one model on the held-out rows."""

    exact_match: float
    token_f1: float
    perplexity: float


class DemoResult(msgspec.Struct, frozen=True):
    """What `demo --json` prints."""

    run: str
    version: str
    seconds: float
    examples: int
    base: DemoScores
    tuned: DemoScores
    p_value: float
    verdict: str


def run_demo(home: Home) -> DemoResult:
    """Import, train, evaluate, show. Raises StudioError."""
    started = time.monotonic()
    sample = files("assets") / "samples" / "support.csv"
    say("[bold]1.[/] Importing sample data: questions to a shop's support desk, with the replies it gives.")
    dataset = anyio.run(orders.ask, home, orders.Import(paths=(str(sample),), name="support"), Dataset)
    say(f"   {dataset.rows} rows; {dataset.validation_rows} are held out and never trained on.")
    say("[bold]2.[/] Fine-tuning the starter model on the others, with LoRA.")
    run = anyio.run(orders.ask, home, _order(dataset), orders.Started).run
    view = watch(RunFolder(home.runs / run))
    if view.state is not RunState.COMPLETED:
        raise (
            StudioError.from_card(view.error)
            if view.error
            else RunError(
                "The demo's run did not finish.", f"It is {view.state.value}.", f"Go on: peft-studio resume {run}"
            )
        )
    version = version_of(home, view)
    if version is None:
        raise RunError(NO_VERSION, "Nothing was saved after training.", "Look at the run's log.")
    say("[bold]3.[/] Asking both models the held-out questions.")
    result = evaluate_version(home, version.id)
    seconds = time.monotonic() - started
    if not quiet.on:
        print_evaluation(result)
    say(f"Done in {seconds_words(seconds)}. Talk to it:   peft-studio chat --base")
    say("See it in the app:             peft-studio app")
    base, tuned = result.base, result.tuned
    return DemoResult(
        run=run,
        version=version.number,
        seconds=round(seconds, 1),
        examples=base.examples,
        base=DemoScores(base.exact_match, base.token_f1, base.perplexity),
        tuned=DemoScores(tuned.exact_match, tuned.token_f1, tuned.perplexity),
        p_value=result.p_value,
        verdict=result.verdict,
    )


def _order(dataset: Dataset) -> orders.Train:
    return orders.Train(order=orders.Order(dataset=dataset.id, profile="customer-support", name="support demo"))
