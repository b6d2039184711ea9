"""Library: the datasets of an open Home: looking into files, importing, mending, and what a model sees of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import msgspec

from engine.core.home import Home
from engine.core.settings import Settings
from engine.core.topics import Topic
from engine.data import service as data
from engine.data.library import list_datasets, load_dataset
from engine.data.nouns import (
    Dataset,
    ExportFormat,
    HiddenRow,
    Inspection,
    Limits,
    Mapping,
    Order,
    RatedAnswer,
    SplitPlan,
    Step,
    TextRows,
)
from engine.data.versions import DatasetVersion, delete, undo, versions
from engine.plan.facts import DataFacts
from engine.plan.models import BaseModel
from engine.spec.objectives import LAYOUTS
from engine.spec.prepared import Split, read_good_share, read_header
from engine.spec.suite import Side

if TYPE_CHECKING:
    from engine.data.diff import Difference
    from engine.data.export import Exported
    from engine.data.merge import Part
    from engine.data.paging import Filter, Page
    from engine.data.preview import PreviewRow
    from engine.data.ratings import RatedSchema
    from engine.data.remapping import Columns

LOOK_SECONDS = 2.0


class Import(msgspec.Struct, frozen=True):
    """A file on its way to a dataset: its name, and the share of it that is read."""

    id: int
    name: str
    share: float = 0.0


class Library:
    """What is imported; `datasets` is the newest list, the newest dataset first; `importing` is what is under way."""

    def __init__(self, home: Home, settings: Topic[Settings]) -> None:
        self._home = home
        self._settings = settings
        self.datasets: Topic[tuple[Dataset, ...]] = Topic(tuple(list_datasets(home.datasets)))
        self.importing: Topic[tuple[Import, ...]] = Topic(())
        self._imports = 0

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

    async def paste(self, text: str) -> Path:
        """Pasted text as a file that can be looked into and imported. Raises StorageError."""
        return await data.keep_pasted(self._home.path / "uploads" / "pasted", text)

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
        with self._underway(name or (source.name if isinstance(source, Path) else f"{len(source)} files")) as tell:

            def heard(progress: data.Progress) -> None:
                tell(progress.done / max(1, progress.total))
                if on_progress is not None:
                    on_progress(progress)

            dataset = await data.import_file(
                self._home.datasets,
                source,
                name=name,
                mapping=mapping,
                limits=Limits.from_settings(self._settings.value),
                split=split,
                text_rows=text_rows,
                on_progress=heard,
            )
        self.publish()
        return dataset

    @contextmanager
    def _underway(self, name: str) -> Iterator[Callable[[float], None]]:
        """Keeps an import among those that are under way; what is given hears the share that is read."""
        self._imports += 1
        mine = self._imports

        def others() -> tuple[Import, ...]:
            return tuple(each for each in self.importing.value if each.id != mine)

        self.importing.set((*others(), Import(mine, name)))
        try:
            yield lambda share: self.importing.set((*others(), Import(mine, name, min(1.0, share))))
        finally:
            self.importing.set(others())

    async def fix(self, dataset_id: str, *steps: Step) -> Dataset:
        """Make a new version of a dataset with these steps done, and publish the new list. Raises StudioError."""
        dataset = await data.fix(self._home.datasets, dataset_id, steps)
        self.publish()
        return dataset

    async def remap(self, dataset_id: str, mapping: Mapping) -> Dataset:
        """Make a new version of a dataset with its columns mapped anew; publishes the new list. Raises StudioError."""
        return await self.fix(dataset_id, Step(do="remap", mapping=mapping))

    async def columns(self, dataset_id: str) -> Columns:
        """The columns that a dataset was made of. Raises DataError when its records are not kept."""
        return await data.columns_of(self._home.datasets, dataset_id)

    async def rows(
        self,
        dataset_id: str,
        start: int = 0,
        count: int = 50,
        *,
        by: Order = "row",
        descending: bool = False,
        filter: Filter | None = None,
    ) -> Page:
        """Some rows with their points and lengths, in an order and through a filter. Raises DataError."""
        folder = self._home.datasets / dataset_id
        return await data.rows_page(folder, start, count, by=by, descending=descending, filter=filter)

    async def hidden(self, dataset_id: str, start: int = 0, count: int = 50) -> tuple[HiddenRow, ...]:
        """Some of the rows that are hidden. Raises DataError."""
        return await data.hidden_page(self._home.datasets / dataset_id, start, count)

    async def versions(self, dataset_id: str) -> tuple[DatasetVersion, ...]:
        """Every version in the line of a dataset, the oldest first. Raises DataError."""
        return await anyio.to_thread.run_sync(versions, self._home.datasets, dataset_id)

    async def diff(self, one: str, other: str) -> Difference:
        """The way from one dataset to the other. Raises DataError."""
        return await data.diff(self._home.datasets, one, other)

    async def undo(self, dataset_id: str) -> Dataset:
        """Delete a version and answer with the one it was made from; publishes the new list. Raises StudioError."""
        before = await anyio.to_thread.run_sync(undo, self._home.datasets, dataset_id)
        self.publish()
        return before

    async def delete(self, dataset_id: str) -> None:
        """Delete a dataset; versions made from it stay. Publishes the new list. Raises StudioError."""
        await anyio.to_thread.run_sync(delete, self._home.datasets, dataset_id)
        self.publish()

    async def export(self, dataset_id: str, format: ExportFormat) -> Exported:
        """Write a dataset as a new file into the Home's folder for exports. Raises StudioError."""
        folder = self._home.path / "exports" / "data"
        return await data.export_into(self._home.datasets, dataset_id, format, folder)

    async def merge(self, parts: Sequence[Part], name: str = "") -> Dataset:
        """Put datasets together, each with its weight, and publish the new list. Raises StudioError."""
        made = await data.merge(self._home.datasets, parts, name=name)
        self.publish()
        return made

    async def from_ratings(
        self, answers: Sequence[RatedAnswer], schema: RatedSchema, name: str = "conversations"
    ) -> Dataset:
        """Make a dataset of answers that people rated, and publish the new list. Raises StudioError."""
        made = await data.from_ratings(self._home.datasets, answers, schema, name)
        self.publish()
        return made

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
        header = read_header(prepared)
        return DataFacts.from_header(header, dataset.name, read_good_share(prepared, header))

    async def questions(self, dataset: Dataset, model_path: Path, max_length: int, side: Side) -> Path:
        """The folder of a dataset's rows prepared to be asked, as examples whatever they are. Raises StudioError."""
        folder = self._home.datasets / dataset.id
        header = await data.prepare(folder, model_path, max_length, self._home.prepared, "rows", side)
        return self._home.prepared / header.hash

    def prepared(self, facts: DataFacts) -> Path:
        """The folder of the prepared rows that were counted."""
        return self._home.prepared / facts.prepared

    async def _prepare(self, dataset: Dataset, model_path: Path, max_length: int, objective: str | None = None) -> Path:
        layout = LAYOUTS.get(objective, dataset.layout) if objective else dataset.layout
        folder = self._home.datasets / dataset.id
        header = await data.prepare(folder, model_path, max_length, self._home.prepared, layout)
        return self._home.prepared / header.hash
