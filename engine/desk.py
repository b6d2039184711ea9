"""The desk: takes commands from the Home's inbox and answers them, each in its own task: none waits for another.

A command that fails is answered with its card; the desk itself goes on.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import msgspec

from engine import orders
from engine.benchmarking import benchmark
from engine.core import inbox
from engine.core.errors import HomeError, RunError, unexpected
from engine.core.home import given_path
from engine.data.service import Progress
from engine.reproducing import reproduce

if TYPE_CHECKING:
    from engine.engine import Engine

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.2


class Desk:
    """Serves one Home's inbox for its holder."""

    def __init__(self, engine: Engine, role: str, leave: Callable[[], None]) -> None:
        self._engine = engine
        self._role = role
        self._leave = leave
        self.at_work = 0

    async def serve(self) -> None:
        """Take and answer until cancelled."""
        async with anyio.create_task_group() as group:
            while True:
                for request_id, request in inbox.take(self._engine.home.inbox):
                    self.at_work += 1
                    group.start_soon(self._answer, request_id, request)
                await anyio.sleep(LOOK_SECONDS)

    async def _answer(self, request_id: str, request: inbox.Request) -> None:
        reply: inbox.Reply | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._look_whether_wanted, request_id, group.cancel_scope)
                reply = await self._reply(request_id, request)
                group.cancel_scope.cancel()
        finally:
            self.at_work -= 1
        if reply is not None:  # else nobody waits for it any more
            inbox.answer(self._engine.home.inbox, request_id, reply)

    async def _look_whether_wanted(self, request_id: str, work: anyio.CancelScope) -> None:
        while not inbox.withdrawn(self._engine.home.inbox, request_id):
            await anyio.sleep(LOOK_SECONDS)
        work.cancel()

    async def _reply(self, request_id: str, request: inbox.Request) -> inbox.Reply:
        try:
            value = await self._do(request_id, request)
            return inbox.Reply(ok=True, value=msgspec.Raw(msgspec.json.encode(value)))
        except Exception as error:
            log.info("command %s failed", request.command, exc_info=error)
            return inbox.Reply(ok=False, error=unexpected(error))

    def _telling(self, request_id: str) -> Callable[[Progress], None]:
        """Leaves word of how far an import is, a few times a second; a full disk only silences it."""
        last = 0.0

        def tell(progress: Progress) -> None:
            nonlocal last
            if (now := time.monotonic()) - last >= LOOK_SECONDS:
                last = now
                with contextlib.suppress(OSError):
                    far = inbox.Far(done=progress.done, total=progress.total)
                    inbox.tell(self._engine.home.inbox, request_id, far)

        return tell

    async def _do(self, request_id: str, request: inbox.Request) -> object:
        kind = orders.BY_NAME.get(request.command)
        if kind is None:
            raise RunError(
                f"The open PEFT Studio does not know the command “{request.command}”.",
                "It is of another version.",
                "Close it and run the command again.",
            )
        engine = self._engine
        match msgspec.json.decode(request.arguments, type=kind):
            case orders.Import(paths=paths, name=name, mapping=mapping, split=split, text_rows=text_rows):
                sources = tuple(given_path(path) for path in paths)
                told = self._telling(request_id)
                return await engine.library.add(
                    sources, name, mapping, split=split, text_rows=text_rows, on_progress=told
                )
            case orders.MakePlan(order=order):
                return engine.planning.plan(await engine.planning.draft(order))
            case orders.Probe(order=order):
                return await engine.probe(await engine.planning.draft(order))
            case orders.Train(order=order):
                return orders.Started(run=await engine.start(await engine.planning.draft(order)))
            case orders.StartSweep() as wish:
                return await engine.start_sweep(wish)
            case orders.StopSweep(sweep=words):
                return orders.Stopped(runs=await engine.stop_sweep(words))
            case orders.Move(run=run, priority=priority):
                run_id = engine.runs.find(run).id
                return orders.Moved(run=run_id, priority=engine.runs.move(run_id, priority))
            case orders.Tell(run=run, verb=verb):
                return orders.Started(run=engine.tell(run, verb))
            case orders.Adjust(run=run, live=live):
                run_id = engine.runs.find(run).id
                engine.runs.change(run_id, live)
                return orders.Started(run=run_id)
            case orders.Evaluate(versions=words, measuring=measuring):
                chosen = [engine.outcomes.folder.find(each) for each in words]
                return orders.Started(run=await engine.outcomes.evaluate_all(chosen, measuring))
            case orders.RunCapsule(path=path):
                return orders.Started(run=await reproduce(engine, given_path(path)))
            case orders.CareFor(version=words, verb=verb):
                return await engine.outcomes.care_for(words, verb)
            case orders.Label(version=words, notes=notes, tags=tags):
                return engine.outcomes.label(words, notes=notes, tags=tags)
            case orders.Export(version=version, form=form, quant=quant, into=into):
                target = given_path(into) if into else None
                return orders.Started(run=await engine.exports.start(version, form, quant, target))
            case orders.ListOffers(version=version):
                return await engine.exports.offers(version)
            case orders.Benchmark() as wish:
                return orders.Started(run=benchmark(engine, wish))
            case orders.OpenHost(model_path=model_path):
                return orders.Started(run=engine.hosts.run(given_path(model_path)).id)
            case orders.Keep(conversation=conversation):
                await engine.playground.keep(conversation)
                return orders.Conversed(conversation=conversation.id, title=conversation.title)
            case orders.MakeRows(conversations=words, rows=rows, name=name):
                return await engine.playground.rows(words, rows, name)
            case orders.Change() as wish:
                return await self._change(wish)
            case orders.Leave():
                return self._give_way()

    async def _change(self, wish: orders.Change) -> orders.Conversed:
        playground = self._engine.playground
        match wish.verb:
            case "rename":
                done = await playground.rename(wish.conversation, wish.title)
            case "delete":
                done = await playground.delete(wish.conversation)
            case "restore":
                done = await playground.restore(wish.conversation)
        return orders.Conversed(conversation=done.id, title=done.title)

    def _give_way(self) -> None:
        if self._role != "keeper":
            raise HomeError("This Home is open in the app.", "Only a keeper gives way.", "Use the open window or page.")
        self._leave()
