"""Benchmarking: a version and its base through public tasks, as a run like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.errors import DataError
from engine.core.home import given_path
from engine.results.care import checked_base
from engine.spec.runspec import AdapterRef, BenchmarkJob, ModelRef

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.orders import Benchmark

ENVIRONMENT = "lm-eval"
AT_ONCE = 8


def benchmark(engine: Engine, wish: Benchmark) -> str:
    """Queue it and return the run's id. Raises StudioError."""
    version = engine.outcomes.folder.find(wish.version)
    checked_base(version)
    folder = str(given_path(wish.tasks_folder)) if wish.tasks_folder else ""
    if folder and not given_path(folder).is_dir():
        raise DataError(
            "The tasks' folder is not there.",
            f"{folder} was not found.",
            "Name the folder that holds the tasks' YAML files.",
        )
    job = BenchmarkJob(
        model=ModelRef(path=version.model_path, name=version.model, fingerprint=version.model_fingerprint),
        adapters=(AdapterRef(name=version.id, path=str(engine.outcomes.folder.adapter(version)), whole=version.whole),),
        tasks=wish.tasks,
        tasks_folder=folder,
        rows=wish.rows,
        few_shot=wish.few_shot,
        chat=wish.chat,
        online=wish.online,
        precision="fp32" if version.precision == "fp32" else "bf16",
        batch_size=AT_ONCE,
        seed=0,
        environment=str(engine.home.environments / ENVIRONMENT),
    )
    return engine.runs.add(engine.planning.spec(f"benchmark {version.title}", job))
