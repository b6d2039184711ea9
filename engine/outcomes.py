"""Outcomes: what the runs of an open Home became: versions and their evaluations."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread
import msgspec

from engine import orders
from engine.core.home import Home
from engine.core.topics import Topic
from engine.data.library import first_questions
from engine.library import Library
from engine.plan.planner import Draft
from engine.planning import Planning, order_again
from engine.results import capsule, care, listing
from engine.results.advice import Advice
from engine.results.after import keep_verdicts, keep_version, never_scored, why_unkept
from engine.results.capsule import Verified
from engine.results.comparing import compare_named
from engine.results.comparison import Comparison
from engine.results.continuing import Continuation, continuation
from engine.results.evaluation import Evaluation
from engine.results.following import advice_for
from engine.results.suites import EVALUATED_ROWS, Questions, evaluation_job, suite_for, with_extras
from engine.results.versions import Version, Versions
from engine.runs.calibrating import Calibrations
from engine.runs.noting import note_end
from engine.runs.runs import Runs
from engine.runs.views import RunView
from engine.spec.folder import RunFolder
from engine.spec.prepared import read_header
from engine.spec.records import Fact, RunState

USUAL = orders.Measuring()
SCORED = (RunState.COMPLETED, RunState.STOPPED)
SCORED_AT_ONCE = 2
"""Evaluations that are scored side by side; others wait, and nothing else waits for them."""


class Outcomes:
    """The versions of a Home; `versions` is the newest list, the newest version first.

    `changed` counts every change to them: which one is in use and how one was evaluated are not in the list.
    """

    def __init__(
        self, home: Home, library: Library, runs: Runs, planning: Planning, calibrations: Calibrations
    ) -> None:
        self._home = home
        self._library = library
        self._runs = runs
        self._planning = planning
        self._calibrations = calibrations
        self._keeping = anyio.Lock()
        self._scoring = anyio.CapacityLimiter(SCORED_AT_ONCE)
        self.folder = Versions(home.versions)
        self.versions: Topic[tuple[Version, ...]] = Topic(self.folder.all())
        self.changed: Topic[int] = Topic(0)

    async def after_run(self, view: RunView) -> None:
        """What follows the end of a run: a trained one is read and becomes a version, an evaluation its verdict."""
        folder = RunFolder(self._home.runs / view.id)
        if view.kind == "train" and view.state in (RunState.COMPLETED, RunState.STOPPED):
            async with self._keeping:
                await note_end(folder, view, self._runs.list.value, self._calibrations)
                await anyio.to_thread.run_sync(keep_version, self.folder, folder, view)
        elif view.kind == "evaluate" and view.state in SCORED:
            await keep_verdicts(self.folder, folder, self._home.datasets, self._scoring)
        self.publish()

    async def do_what_is_left(self) -> None:
        """Have evaluations scored that ended and have no verdict, and no reason why they have none; and versions made
        that could not be kept before."""
        ended = [each for each in self._runs.list.value if each.state in SCORED]
        asked = [RunFolder(self._home.runs / each.id) for each in ended if each.kind == "evaluate"]
        trained = [each.id for each in ended if each.kind == "train"]
        for run_id in await anyio.to_thread.run_sync(never_scored, self.folder, asked):
            self._runs.end_again(run_id)
        for run_id in await anyio.to_thread.run_sync(_unkept, self._home.runs, trained):
            self._runs.end_again(run_id)

    def ending(self, words: str, *, again: bool = False) -> orders.Ending:
        """Whether all that follows the end of a run is done, and why it became no version; `again` has that tried once
        more where it failed. Raises RunError for an unknown run."""
        view = self._runs.find(words)
        folder = RunFolder(self._home.runs / view.id)
        if again and self._runs.over(view.id) and why_unkept(folder):
            self._runs.end_again(view.id)
        return orders.Ending(done=self._runs.over(view.id), why=why_unkept(folder))

    async def evaluate(self, words: str, wish: orders.Measuring = USUAL) -> str:
        """Queue the evaluation of a version beside its base, on its held-out rows unless wished otherwise.

        Returns the run's id. Raises StudioError.
        """
        return await self.evaluate_all((self.folder.find(words),), wish)

    async def evaluate_all(self, chosen: Sequence[Version], wish: orders.Measuring = USUAL) -> str:
        """Queue one evaluation of several versions of the same base on the same rows; returns the run's id."""
        for version in chosen:  # first: whatever else is wrong may come of it
            await anyio.to_thread.run_sync(care.checked_base, version)
        questions = await self._questions(chosen[0], wish)
        job = evaluation_job(self.folder, chosen, questions, self._home.answers)
        name = f"evaluate {', '.join(version.title for version in chosen)}"
        return self._runs.add(self._planning.spec(name, job))

    async def _questions(self, version: Version, wish: orders.Measuring) -> Questions:
        dataset = self._library.load(wish.dataset or version.dataset_id)
        length = self._planning.model(version.model_path).context
        if not wish.dataset:  # the very rows and cuts that validation saw
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                length = read_header(Path(version.prepared)).max_length
        suite = await anyio.to_thread.run_sync(suite_for, dataset, self._home.datasets / dataset.id)
        return Questions(
            dataset=dataset,
            prepared=await self._library.questions(dataset, Path(version.model_path), length, wish.side),
            side=wish.side,
            suite=with_extras(suite, wish.patterns, wish.checks),
            rows=wish.rows or EVALUATED_ROWS,
        )

    async def care_for(self, words: str, verb: Literal["use", "back", "archive", "restore", "delete"]) -> orders.Cared:
        """Use, roll back, archive, restore or delete a version, and publish the new list. Raises StudioError."""
        if verb == "back":
            version = care.roll_back(self.folder, words if words in self._names() else self.folder.find(words).name)
            self.publish()
            return orders.Cared(version=version.id, title=version.title)
        version = self.folder.find(words)
        before, was = care.size_of(self.folder, version).reclaimable, self.folder.archived(version)
        doing: dict[str, Callable[[Versions, Version], object]] = {
            "use": care.set_active,
            "archive": care.archive,
            "restore": care.restore,
            "delete": care.delete,
        }
        await anyio.to_thread.run_sync(doing[verb], self.folder, version)
        self.publish()
        after = 0 if verb == "delete" else care.size_of(self.folder, version).reclaimable
        changed = was != (verb == "archive") if verb in ("archive", "restore") else True
        return orders.Cared(version=version.id, title=version.title, freed=before - after, changed=changed)

    def _names(self) -> set[str]:
        return {version.name for version in self.folder.all()}

    def label(self, words: str, *, notes: str | None = None, tags: Sequence[str] | None = None) -> Version:
        """Give a version other notes or tags, and publish the new list. Raises StudioError."""
        version = self.folder.change(self.folder.find(words), notes=notes, tags=tags)
        self.publish()
        return version

    async def compare(self, words: Sequence[str]) -> Comparison:
        """Two to five versions or runs side by side. Raises StudioError."""
        return await compare_named(self.folder, self._home.runs, words, self._planning.tariff)

    async def advice(self, words: str) -> tuple[Advice, ...]:
        """What to do next about a version, from its data, training and answers. Raises DataError for an unknown one."""
        version = self.folder.find(words)
        return await advice_for(self.folder, version, self._home.runs, self._home.datasets)

    async def follow_up(self, words: str, edits: Mapping[str, Fact]) -> Draft:
        """A draft of the run that made this version, with these settings changed. Raises StudioError."""
        version = self.folder.find(words)
        return await self._planning.draft(order_again(self.folder, version, edits))

    def continuation(self, words: str) -> Continuation:
        """What training that goes on from a version takes over from it. Raises StudioError where it cannot."""
        return continuation(self.folder, self.folder.find(words))

    async def go_on(self, words: str) -> Draft:
        """A draft of training that goes on from a version, on its own data. Raises StudioError."""
        version = self.folder.find(words)
        return await self._planning.draft(orders.Order(dataset=version.dataset_id, parent=version.id))

    async def capsule(self, words: str, *, rows: bool = True) -> tuple[Path, Verified]:
        """Save a version as one file in the Home's `capsules/`, and say where; `rows` lets the dataset's rows travel
        along. Raises StudioError."""
        version = self.folder.find(words)
        folder = self._home.path / "capsules"
        folder.mkdir(exist_ok=True)
        names = (f"{version.id}{f'-{again}' if again else ''}.capsule.zip" for again in itertools.count())
        target = next(folder / name for name in names if not (folder / name).exists())
        make = partial(capsule.make, self.folder, version, self._home.runs, self._home.datasets, target, rows=rows)
        return target, await anyio.to_thread.run_sync(make)

    async def listed(self) -> tuple[listing.Listed, ...]:
        """Every version and how it stands, the newest first."""
        return await anyio.to_thread.run_sync(listing.every, self.folder)

    async def standing(self, words: str) -> listing.Listed:
        """How one version stands. Raises DataError for an unknown one."""
        return await anyio.to_thread.run_sync(listing.listed, self.folder, self.folder.find(words))

    def active(self, name: str) -> Version | None:
        """The version of this name that is in use."""
        return care.active(self.folder, name)

    async def space(self) -> care.Space:
        """How full the disk is, and which versions could go."""
        return await anyio.to_thread.run_sync(care.space, self.folder)

    def publish(self) -> None:
        """Say that something about the versions changed."""
        self.versions.set(self.folder.all())
        self.changed.set(self.changed.value + 1)

    def evaluation(self, version_id: str) -> Evaluation | None:
        """A version's evaluation, once there is one."""
        return self.folder.evaluation(self.folder.find(version_id))

    async def evaluations(self, version_id: str) -> tuple[Evaluation, ...]:
        """Every evaluation of a version, the newest first."""
        return await anyio.to_thread.run_sync(self.folder.evaluations, self.folder.find(version_id))

    async def examples(self, version_id: str, count: int = 3) -> tuple[str, ...]:
        """Prompts to try: the first held-out questions of the version's dataset."""
        version = self.folder.find(version_id)
        return await anyio.to_thread.run_sync(first_questions, self._home.datasets, version.dataset_id, count)


def _unkept(runs: Path, trained: Sequence[str]) -> list[str]:
    return [run_id for run_id in trained if RunFolder(runs / run_id).unkept_file.exists()]
