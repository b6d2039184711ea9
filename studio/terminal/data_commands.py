"""`peft-studio data ...`: look at data files, import them, and see what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine import orders
from engine.core.home import Home
from engine.core.settings import load
from engine.data.nouns import Dataset, Limits, Order, TextRows
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.library_commands import library
from studio.terminal.show import print_json, say, table
from studio.terminal.sources import sources

data = typer.Typer(help="Look at data files, import them, and see what is there.", no_args_is_help=True)
data.add_typer(library)


FilesArgument = Annotated[
    list[Path], typer.Argument(help="A file, several, a folder or an archive of them; - reads standard input.")
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(help="A column's role, for example --map instruction=frage --map output=antwort."),
]
RowsOption = Annotated[TextRows, typer.Option("--text-rows", help="What one row of a plain text is.")]
SplitOption = Annotated[
    list[str] | None,
    typer.Option(
        help="How rows are divided: validation=0.1, test=0.1, seed=7, stratify=false; by=time with time=COLUMN, or "
        "by=given with column=COLUMN. Can be repeated."
    ),
]


@data.command("inspect")
@command
def data_inspect(
    files: FilesArgument,
    map: MapOption = None,
    split: SplitOption = None,
    text_rows: RowsOption = "auto",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a data file holds, without importing it."""
    from engine.data.inspect import inspect_file, look_at
    from engine.data.report import report_of
    from studio.terminal.datasets import mapping_from, print_inspection, split_from

    look = look_at if json else inspect_file
    with sources(files) as paths:
        limits = Limits.from_settings(load(Home.open(home).settings))
        found = look(paths, limits, mapping_from(map or []), split_from(split or []), text_rows)
    print_json(report_of(found)) if json else print_inspection(found)


@data.command("import")
@command
def data_import(
    files: FilesArgument,
    name: Annotated[str, typer.Option(help="What to call it; the file's name otherwise.")] = "",
    map: MapOption = None,
    split: SplitOption = None,
    text_rows: RowsOption = "auto",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Import data files, or a folder of them, as one dataset."""
    from studio.terminal.datasets import mapping_from, print_dataset, split_from

    with sources(files) as paths:
        what = orders.Import(
            paths=tuple(str(each.absolute()) for each in paths),
            name=name,
            mapping=mapping_from(map or []),
            split=split_from(split or []),
            text_rows=text_rows,
        )
        dataset = ask(Home.open(home), what, Dataset, bar="Importing")
    print_json(dataset) if json else print_dataset(dataset)


@data.command("list")
@command
def data_list(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the imported datasets."""
    from engine.data.library import list_datasets

    found = list_datasets(Home.open(home).datasets)
    if json:
        return print_json(found)
    rows = [[each.name, f"{each.rows:,}", f"{each.validation_rows:,}", each.schema, each.id] for each in found]
    table(("name", ">rows", ">held out", "schema", "id"), rows)
    return None


@data.command("show")
@command
def data_show(
    dataset: Annotated[str, typer.Argument(help="A dataset's name, id, or the start of its id.")],
    rows: Annotated[int, typer.Option(min=0, max=1000, help="How many rows to show.")] = 3,
    sort: Annotated[Order, typer.Option(help="In the order of the file, or the worst or the shortest first.")] = "row",
    descending: Annotated[bool, typer.Option("--descending", help="The last, best or longest first.")] = False,
    finding: Annotated[str, typer.Option(help="Only rows that bear this finding, such as duplicates.")] = "",
    words: Annotated[str, typer.Option(help="Only rows with these words.")] = "",
    rendered: Annotated[
        bool, typer.Option("--rendered", help="Show rows as the model sees them, with what is learned marked.")
    ] = False,
    model: Annotated[str, typer.Option(help="The model to render for: a folder or a name.")] = "starter",
    context: Annotated[int, typer.Option(min=16, help="The context length to render for, in tokens.")] = 2048,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show a dataset and some of its rows."""
    from engine.data.library import load_dataset
    from engine.data.paging import Filter, rows_page
    from studio.terminal.datasets import print_dataset, print_rows

    folder = Home.open(home).datasets
    found = load_dataset(folder, dataset)
    if rendered:
        return _show_rendered(Home.open(home), found, model, context, rows, json)
    wanted = Filter(finding=finding, words=words)
    page = rows_page(folder / found.id, 0, rows, by=sort, descending=descending, filter=wanted)
    if json:
        rows_only, quality = [each.row for each in page.rows], [each.quality for each in page.rows]
        return print_json({"dataset": found, "total": page.total, "rows": rows_only, "quality": quality})
    print_dataset(found)
    return print_rows(page.rows)


def _model_folder(home: Home, wanted: str) -> Path:
    """The folder of a model named by its folder, or by its name among those at hand. Raises ModelError."""
    from engine.core.errors import ModelError
    from engine.plan.models import find_models, starter_path

    if (Path(wanted).expanduser() / "tokenizer.json").is_file():
        return Path(wanted).expanduser()
    starter = starter_path()
    at_hand = find_models(home.models, starter).models
    named = {each.name: Path(each.path) for each in at_hand} | {"starter": starter}
    if wanted not in named:
        raise ModelError(
            f"There is no model “{wanted}” here.", f"There are: {', '.join(named)}.", "Name one of them, or a folder."
        )
    return named[wanted]


def _show_rendered(home: Home, dataset: Dataset, model: str, context: int, count: int, json: bool) -> None:
    """Prepare for the model (once, then kept), and show the first rows."""
    from engine.data.prepare import prepare
    from engine.data.preview import preview
    from studio.terminal.datasets import print_preview

    folder = _model_folder(home, model)
    header = prepare(home.datasets / dataset.id, folder, context, home.prepared, dataset.layout)
    shown = preview(home.prepared / header.hash, folder, count=count)
    if json:
        return print_json({"dataset": dataset, "model": str(folder), "counts": header.splits, "rows": shown})
    for side, counts in header.splits.items():
        say(
            f"{side}: {counts.rows:,} rows, {counts.tokens:,} tokens an epoch, {counts.trained_tokens:,} learned, "
            f"{counts.truncated:,} cut, {counts.dropped:,} dropped"
        )
    return print_preview(shown)
