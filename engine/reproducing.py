"""Running a capsule's recipe again in this Home: the same rows, model, method, numbers and seeds, as a new run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec

from engine.core.errors import DataError, ModelError, PlanError
from engine.data.nouns import Dataset
from engine.holding import new_id
from engine.plan.models import BaseModel
from engine.results.capsule import Capsule, recipe_of, sound, take_dataset
from engine.spec.runspec import AdapterRef, RunSpec, TrainJob

if TYPE_CHECKING:
    from engine.engine import Engine


async def reproduce(engine: Engine, path: Path) -> str:
    """Verify a capsule and queue its recipe; returns the run's id. Raises StudioError."""
    verified = await anyio.to_thread.run_sync(sound, path)
    recipe = await anyio.to_thread.run_sync(recipe_of, path)
    job = recipe.job
    assert isinstance(job, TrainJob)
    model = _model(engine, verified.capsule)
    dataset = await _dataset(engine, path, verified.capsule)
    aim = type(job.objective).__struct_config__.tag
    facts = await engine.library.facts(dataset.id, model, job.training.max_length, str(aim))
    again = msgspec.structs.replace(
        job,
        model=model.ref,
        data=facts.ref(str(engine.library.prepared(facts))),
        parent=_parent(engine, job.parent),
    )
    return engine.runs.add(_spec(recipe, again))


def _spec(recipe: RunSpec, job: TrainJob) -> RunSpec:
    """Threads are part of the recipe: sums on one and on two differ in their last bits."""
    name = f"{recipe.name} again"
    return msgspec.structs.replace(recipe, id=new_id(name), name=name, created=time.time(), priority=0, job=job)


def _model(engine: Engine, capsule: Capsule) -> BaseModel:
    for model in engine.planning.models().models:
        if model.fingerprint == capsule.model_fingerprint:
            return model
    raise ModelError(
        f"The base model {capsule.model} is not here.",
        "No model in the Home is the one that the capsule was trained on.",
        f"Put {capsule.model} into the Home's models folder, and run the capsule again.",
    )


async def _dataset(engine: Engine, path: Path, capsule: Capsule) -> Dataset:
    """The rows from the capsule, or those of the same hash that are in the Home."""
    if capsule.dataset.inside:
        dataset = await anyio.to_thread.run_sync(take_dataset, path, capsule, engine.home.datasets)
        engine.library.publish()
        return dataset
    for dataset in engine.library.datasets.value:
        if (dataset.id, dataset.hash) == (capsule.dataset.id, capsule.dataset.hash):
            return dataset
    raise DataError(
        f"The rows of {capsule.dataset.name} are not here.",
        f"The capsule holds their hash alone ({capsule.dataset.hash[:12]}), and no dataset in the Home has it.",
        "Import the same data, split in the same way.",
        "Or ask for a capsule with rows.",
    )


def _parent(engine: Engine, parent: AdapterRef | None) -> AdapterRef | None:
    """The version that the recipe goes on from, as it lies here."""
    if parent is None:
        return None
    folder = engine.outcomes.folder
    for version in folder.all():
        if version.id == parent.name:
            return msgspec.structs.replace(parent, path=str(folder.adapter(version)))
    raise PlanError(
        "The version that this training went on from is not here.",
        f"The recipe begins with {parent.name}.",
        "Run that version's capsule first.",
    )
