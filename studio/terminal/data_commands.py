"""`peft-studio data ...`: look at data files, import them, and see what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine import orders
from engine.core.home import Home
from engine.data.nouns import Dataset
from studio.terminal.command import HomeOption, JsonOption, ask, command
from studio.terminal.show import print_json, table

data = typer.Typer(help="Look at data files, import them, and see what is there.", no_args_is_help=True)


@data.command("inspect")
@command
def data_inspect(file: Path, home: HomeOption = None, json: JsonOption = False) -> None:
    """Say what a data file holds, without importing it."""
    from engine.data.inspect import inspect_file
    from studio.terminal.datasets import print_inspection

    found = inspect_file(file.expanduser())
    print_json(found) if json else print_inspection(found)


@data.command("import")
@command
def data_import(
    file: Path,
    name: Annotated[str, typer.Option(help="What to call it; the file's name otherwise.")] = "",
    map: Annotated[
        list[str] | None,
        typer.Option(help="A column's role, for example --map prompt=frage --map answer=antwort."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Import a data file as a dataset."""
    from studio.terminal.datasets import mapping_from, print_dataset

    what = orders.Import(path=str(file.expanduser().absolute()), name=name, mapping=mapping_from(map or []))
    dataset = ask(Home.open(home), what, Dataset)
    print_json(dataset) if json else print_dataset(dataset)


@data.command("list")
@command
def data_list(home: HomeOption = None, json: JsonOption = False) -> None:
    """List the imported datasets."""
    from engine.data.library import list_datasets

    found = list_datasets(Home.open(home).datasets)
    if json:
        return print_json(found)
    rows = [[each.name, f"{each.rows:,}", f"{each.validation_rows:,}", each.shape, each.id] for each in found]
    table(("name", ">rows", ">held out", "shape", "id"), rows)
    return None


@data.command("show")
@command
def data_show(
    dataset: Annotated[str, typer.Argument(help="A dataset's name, id, or the start of its id.")],
    rows: Annotated[int, typer.Option(min=0, max=1000, help="How many rows to show.")] = 3,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show a dataset and its first rows."""
    from itertools import islice

    from engine.data.library import load_dataset, read_rows
    from studio.terminal.datasets import print_dataset, print_rows

    folder = Home.open(home).datasets
    found = load_dataset(folder, dataset)
    first = list(islice(read_rows(folder, found.id), rows))
    if json:
        return print_json({"dataset": found, "rows": first})
    print_dataset(found)
    return print_rows(first)
