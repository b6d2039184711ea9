"""Having answers judged from the terminal: by an endpoint, or by a local model."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from rich.markup import escape

from engine import orders
from engine.core.home import Home
from engine.judging import model_meant
from engine.results.agreement import in_words
from engine.results.care import loadable
from engine.results.evaluation import Evaluation
from engine.results.judged import judge_version
from engine.results.judges import endpoint_judge
from engine.results.judging import Chosen, Judge, Told
from engine.results.measured import Judged
from engine.results.verdict import chance
from engine.results.versions import Versions
from engine.serving.conversations import JOURNAL, read_kept
from engine.serving.host import connect
from engine.serving.judge import host_judge
from engine.serving.nouns import rated_pairs
from engine.spec.folder import RunFolder
from studio.terminal.ordering import model_words
from studio.terminal.show import console, say, table

SAID_EVERY_SECONDS = 5.0


def judged(home: Home, evaluation: Evaluation, chosen: Chosen, key: str) -> Evaluation:
    """The evaluation with the judge's part; `key` names the variable that holds the key. Raises StudioError."""
    return anyio.run(_judged, home, evaluation, chosen, os.environ.get(key, ""))


async def _judged(home: Home, evaluation: Evaluation, chosen: Chosen, key: str) -> Evaluation:
    versions = Versions(home.versions)
    version = versions.find(evaluation.version)
    rated = [pair for kept in read_kept(home.path / JOURNAL) for pair in rated_pairs(kept, version.id)]
    say(f"{chosen.model} is judging {len(evaluation.examples)} pairs of answers ...")
    opened = endpoint_judge(chosen.url, chosen.model, key) if chosen.url else _local(home, versions, chosen.model)
    async with opened as judge:
        return await judge_version(versions, version, evaluation, judge, chosen, rated, _teller())


def _teller() -> Told:
    """Says how far it is: with the first example, the last, and every few seconds between."""
    last = -SAID_EVERY_SECONDS

    def told(done: int, total: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= SAID_EVERY_SECONDS or done == total:
            last = now
            say(f"  {done} of {total} judged")

    return told


@asynccontextmanager
async def _local(home: Home, versions: Versions, words: str) -> AsyncIterator[Judge]:
    """A model in the Home, a model folder, or a version. Raises StudioError."""
    from engine.data.prompting import Prompter

    version, path = model_meant(home, versions, model_words(words))
    adapter = loadable(versions, version) if version else path
    run = (await orders.ask(home, orders.OpenHost(model_path=str(path)), orders.Started)).run
    prompter = await anyio.to_thread.run_sync(Prompter, path)
    session = await connect(RunFolder(home.runs / run), words, prompter)
    async with anyio.create_task_group() as group:
        group.start_soon(session.serve)
        try:
            if version:
                await session.attach(version.id, adapter, whole=version.whole)
            yield host_judge(session, version.id if version else None)
        finally:
            await session.close()
            group.cancel_scope.cancel()


def print_judged(found: Judged) -> None:
    """The judge's means, and how far it is to be trusted."""
    if found.criteria:
        rows = [
            [
                each.criterion,
                f"{each.base:.2f}",
                f"{each.tuned:.2f}",
                f"{each.difference.difference:+.2f}",
                f"{each.difference.low:+.2f} to {each.difference.high:+.2f}" if each.difference.has_interval else "",
                chance(each.difference.corrected).removeprefix("p ").removeprefix("= ") if found.counts else "",
            ]
            for each in found.criteria
        ]
        table(("judge, 1 to 5", ">base", ">tuned", ">difference", ">95 % interval", ">p (Holm)"), rows)
    words = f"Judge: {found.judge}. {found.standing}"
    if found.not_judged:
        why = f", most often because {found.why}" if found.why else ""
        words += f" For {found.not_judged} it gave no usable answer{why}."
    if found.examples:
        words += f" On {100 * found.flipped:.0f} % the order of the answers decided."
    console.print(f"[dim]{escape(words)} {escape(in_words(found.agreement))}[/]\n")
