"""Judging: versions' evaluations judged by a model, here or behind an endpoint, while a Home is open.

What a judge said is kept with the version. The key to an endpoint lives in memory alone, for as long as it is needed: a
judge that was to be asked after an evaluation is forgotten when the app is closed before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from engine.core.errors import DataError, RunError, unexpected
from engine.core.home import Home
from engine.core.topics import Topic
from engine.outcomes import Outcomes
from engine.plan.models import find_models, starter_path
from engine.playground import Playground
from engine.results.care import loadable
from engine.results.evaluation import Evaluation
from engine.results.judged import judge_version
from engine.results.judges import endpoint_judge
from engine.results.judging import Chosen, Judge, checked
from engine.results.versions import Version, Versions
from engine.runs.views import RunView
from engine.serving.judge import host_judge
from engine.spec.records import Card

log = logging.getLogger(__name__)


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a judge is with a version's answers; `card` says why it could not go on."""

    done: int = 0
    total: int = 0
    card: Card | None = None

    @property
    def at_work(self) -> bool:
        """Whether it is still judging."""
        return self.card is None


class Judging:
    """Judges at work; `progress` has each version that is being judged, or whose judge failed."""

    def __init__(
        self,
        home: Home,
        outcomes: Outcomes,
        playground: Playground,
        start: Callable[[Callable[[], Coroutine[Any, Any, None]]], object],
    ) -> None:
        self._home = home
        self._outcomes = outcomes
        self._playground = playground
        self._start = start
        self._due: dict[str, tuple[Chosen, str]] = {}
        self.progress: Topic[Mapping[str, Progress]] = Topic({})

    def after(self, run_id: str, chosen: Chosen, key: str = "") -> None:
        """Have what this evaluation run answers judged once it has ended. Raises DataError."""
        self._due[run_id] = (self.looked_over(chosen), key)

    def looked_over(self, chosen: Chosen) -> Chosen:
        """The choice, if there is such a judge as far as can be told without asking it. Raises DataError."""
        if not checked(chosen).url:
            model_meant(self._home, self._outcomes.folder, chosen.model)
        return chosen

    async def after_run(self, view: RunView) -> None:
        """Begin what waited for the end of a run. An evaluation that left no answers is not judged."""
        chosen, key = self._due.pop(view.id, (None, ""))
        if chosen is None:
            return
        for version in self._outcomes.versions.value:
            found = await self._outcomes.evaluations(version.id)
            if any(each.run == view.id for each in found):
                self.begin(version.id, chosen, key, run=view.id)

    def begin(self, version_id: str, chosen: Chosen, key: str = "", *, run: str = "") -> None:
        """Have a version's evaluation (its newest, unless one is named by its run) judged in the background.

        Raises DataError when there is no such judge.
        """
        self.looked_over(chosen)
        self._say(version_id, Progress())

        async def work() -> None:
            try:
                await self.judge(version_id, chosen, key, run=run)
            except Exception as error:  # noqa: BLE001 - shown to the person as a card
                log.info("could not judge %s: %s", version_id, type(error).__name__)
                self._say(version_id, Progress(card=unexpected(error)))
            else:
                self._say(version_id, None)

        self._start(work)

    async def judge(self, version_id: str, chosen: Chosen, key: str = "", *, run: str = "") -> Evaluation:
        """Have a version's evaluation judged, and return it so. Raises StudioError."""
        version = self._outcomes.folder.find(version_id)
        every = await self._outcomes.evaluations(version.id)
        evaluation = next((each for each in every if run in ("", each.run)), None)
        if evaluation is None:
            raise RunError("There is nothing to judge.", f"{version.title} is not evaluated yet.", "Evaluate it first.")
        rated = await self._playground.rated(version.id)

        def told(done: int, total: int) -> None:
            self._say(version_id, Progress(done=done, total=total))

        async def go(judge: Judge) -> Evaluation:
            return await judge_version(self._outcomes.folder, version, evaluation, judge, chosen, rated, told)

        if chosen.url:
            async with endpoint_judge(chosen.url, chosen.model, key) as judge:
                judged = await go(judge)
        else:
            judged = await go(await self._local(chosen.model))
        self._outcomes.publish()
        return judged

    async def _local(self, words: str) -> Judge:
        versions = self._outcomes.folder
        version, path = await anyio.to_thread.run_sync(model_meant, self._home, versions, words)
        adapter = await anyio.to_thread.run_sync(loadable, versions, version) if version else path
        session = await self._playground.session(path)
        if version is not None:
            await session.attach(version.id, adapter, whole=version.whole)
        return host_judge(session, version.id if version else None)

    def forget(self, version_id: str) -> None:
        """Put away why a judge could not go on."""
        self._say(version_id, None)

    def _say(self, version_id: str, now: Progress | None) -> None:
        others = {each: progress for each, progress in self.progress.value.items() if each != version_id}
        self.progress.set(others if now is None else {**others, version_id: now})


def model_meant(home: Home, versions: Versions, words: str) -> tuple[Version | None, Path]:
    """A model in the Home, a model's folder, or a version with its base, as a judge. Raises DataError."""
    for model in find_models(home.models, starter_path()).models:
        if words in (model.name, model.path):
            return None, Path(model.path)
    if Path(words).is_dir():
        return None, Path(words)
    try:
        version = versions.find(words)
    except DataError as error:
        raise DataError(
            f"There is no judge “{words}”.",
            "It is neither a model or version here, nor was an endpoint named.",
            "Name a model or a version, or the address of an endpoint.",
        ) from error
    return version, Path(version.model_path)


def judges_here(home: Home, versions: Sequence[Version]) -> tuple[tuple[str, str], ...]:
    """What can judge without a network: (words that name it, title) of the models and the versions here."""
    models = find_models(home.models, starter_path()).models
    return (*((each.path, each.name) for each in models), *((each.id, each.title) for each in versions))
