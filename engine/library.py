"""Library: the datasets of an open Home: looking into files, importing, mending, and what a model sees of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from engine.core.home import Home
from engine.core.settings import Settings
from engine.core.topics import Topic
from engine.data import service as data
from engine.data.library import list_datasets, load_dataset
from engine.data.nouns import Dataset, Inspection, Limits, Mapping, SplitPlan, Step, TextRows
from engine.plan.facts import DataFacts
from engine.plan.models import BaseModel
from engine.spec.objectives import LAYOUTS
from engine.spec.prepared import Split, read_header

if TYPE_CHECKING:
    from engine.data.preview import PreviewRow

LOOK_SECONDS = 2.0


class Library:
    """What is imported; `datasets` is the newest list, the newest dataset first."""

    def __init__(self, home: Home, settings: Topic[Settings]) -> None:
        self._home = home
        self._settings = settings
        self.datasets: Topic[tuple[Dataset, ...]] = Topic(tuple(list_datasets(home.datasets)))

    async def watch_folder(self) -> None:
        """Commands that mend or delete datasets write their folders themselves; the list follows."""
        seen = self._home.datasets.stat().st_mtime_ns
        while True:
            await anyio.sleep(LOOK_SECONDS)
            if (now := self._home.datasets.stat().st_mtime_ns) != seen:
                seen = now
                self.datasets.set(tuple(await anyio.to_thread.run_sync(list_datasets, self._home.datasets)))

    def publish(self) -> None:
        """Read the folders again and publish the list."""
        self.datasets.set(tuple(list_datasets(self._home.datasets)))

    def samples(self) -> tuple[Path, ...]:
        """The datasets that come with the app."""
        folder = Path(str(files("assets") / "samples"))
        return tuple(sorted(path for path in folder.iterdir() if path.suffix in (".csv", ".jsonl", ".parquet")))

    def load(self, words: str) -> Dataset:
        """A dataset by id, the beginning of an id, or name. Raises DataError with the choices."""
        return load_dataset(self._home.datasets, words)

    async def inspect(self, path: Path, mapping: Mapping | None = None) -> Inspection:
        """What a data file would become. Raises DataError."""
        return await data.inspect_file(path, Limits.from_settings(self._settings.value), mapping)

    async def add(
        self,
        source: Path | Sequence[Path],
        name: str = "",
        mapping: Mapping | None = None,
        *,
        split: SplitPlan | None = None,
        text_rows: TextRows = "auto",
        on_progress: Callable[[data.Progress], None] | None = None,
    ) -> Dataset:
        """Import a file, a folder, or several files as one dataset, and publish the new list. Raises StudioError."""
        dataset = await data.import_file(
            self._home.datasets,
            source,
            name=name,
            mapping=mapping,
            limits=Limits.from_settings(self._settings.value),
            split=split,
            text_rows=text_rows,
            on_progress=on_progress,
        )
        self.publish()
        return dataset

    async def fix(self, dataset_id: str, *steps: Step) -> Dataset:
        """Make a new version of a dataset with these steps done, and publish the new list. Raises StudioError."""
        dataset = await data.fix(self._home.datasets, dataset_id, steps)
        self.publish()
        return dataset

    async def preview(
        self,
        dataset_id: str,
        model_path: Path,
        max_length: int,
        split: Split = "train",
        start: int = 0,
        count: int = 10,
    ) -> tuple[PreviewRow, ...]:
        """Rows as the model will see them, from the very bytes it is trained on. Raises StudioError."""
        prepared = await self._prepare(self.load(dataset_id), model_path, max_length)
        return await data.preview(prepared, model_path, split, start, count)

    async def facts(
        self, dataset_id: str, model: BaseModel, max_length: int, objective: str | None = None
    ) -> DataFacts:
        """Count a dataset in the model's own tokens (prepared once, then cached). Raises StudioError."""
        dataset = self.load(dataset_id)
        prepared = await self._prepare(dataset, Path(model.path), max_length, objective)
        return DataFacts.from_header(read_header(prepared), dataset.name)

    def prepared(self, facts: DataFacts) -> Path:
        """The folder of the prepared rows that were counted."""
        return self._home.prepared / facts.prepared

    async def _prepare(self, dataset: Dataset, model_path: Path, max_length: int, objective: str | None = None) -> Path:
        layout = LAYOUTS.get(objective, dataset.layout) if objective else dataset.layout
        folder = self._home.datasets / dataset.id
        header = await data.prepare(folder, model_path, max_length, self._home.prepared, layout)
        return self._home.prepared / header.hash
