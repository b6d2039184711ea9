"""`peft-studio data ...` for datasets that are there: fixed, compared, exported, put together, deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.core.home import Home
from engine.core.settings import load
from engine.data.nouns import EXPORT_FORMATS, Limits, Step
from studio.terminal.command import HomeOption, JsonOption, command
from studio.terminal.show import bytes_words, console, print_json, table

library = typer.Typer()

DatasetArgument = Annotated[str, typer.Argument(help="A dataset's name, id, or the start of its id.")]


@library.command("fix")
@command
def data_fix(
    dataset: DatasetArgument,
    fixes: Annotated[
        list[str],
        typer.Argument(
            help="drop:FINDING, drop:rows:3,8-10, drop:language:en (or hide: instead of drop:), show, repair_encoding, "
            "redact or trim."
        ),
    ],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a new version of a dataset by fixing what was found; the version before stays as it is."""
    from engine.data.fixing import fix
    from engine.data.steps import step_from
    from studio.terminal.datasets import print_dataset

    made = fix(Home.open(home).datasets, dataset, [step_from(each) for each in fixes])
    print_json(made) if json else print_dataset(made)


@library.command("remap")
@command
def data_remap(
    dataset: DatasetArgument,
    map: Annotated[
        list[str], typer.Option(help="A column's role, or a template: --map instruction='{title}: {question}'.")
    ],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a new version of a dataset with its columns mapped anew."""
    from engine.data.fixing import fix
    from studio.terminal.datasets import mapping_from, print_dataset

    made = fix(Home.open(home).datasets, dataset, [Step(do="remap", mapping=mapping_from(map))])
    print_json(made) if json else print_dataset(made)


@library.command("undo")
@command
def data_undo(dataset: DatasetArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Delete the newest version of a dataset and go back to the one before."""
    from engine.data.versions import undo
    from studio.terminal.datasets import print_dataset

    before = undo(Home.open(home).datasets, dataset)
    print_json(before) if json else print_dataset(before)


@library.command("versions")
@command
def data_versions(dataset: DatasetArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """List the versions of a dataset: what was done, rows, score, size."""
    from engine.data.versions import versions

    found = versions(Home.open(home).datasets, dataset)
    if json:
        return print_json(found)
    score = ["" if each.score is None else f"{each.score:.0f}" for each in found]
    rows = [
        [each.id, each.parent, " ".join(each.fixes) or "import", f"{each.rows:,}", points, bytes_words(each.bytes)]
        for each, points in zip(found, score, strict=True)
    ]
    return table(("id", "made from", "by", ">rows", ">score", ">size"), rows)


@library.command("diff")
@command
def data_diff(one: DatasetArgument, other: DatasetArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Show which rows are different between two datasets, or two versions of one."""
    from engine.data.diff import diff
    from studio.terminal.datasets import print_change

    found = diff(Home.open(home).datasets, one, other)
    if json:
        return print_json(found)
    console.print(f"{found.same:,} rows the same, {found.added:,} added, {found.removed:,} removed, ", end="")
    console.print(f"{found.changed:,} changed")
    for each in found.shown:
        print_change(each)
    return None


@library.command("export")
@command
def data_export(
    dataset: DatasetArgument,
    format: Annotated[str, typer.Option("--format", help=f"One of {', '.join(EXPORT_FORMATS)}.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write; .json gives one array, else a row a line.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Write a dataset as a file for other programs."""
    from engine.data.export import export, format_from

    done = export(Home.open(home).datasets, dataset, format_from(format), out.expanduser().absolute())
    print_json(done) if json else console.print(f"{done.rows:,} rows, {bytes_words(done.bytes)}: {done.path}")


@library.command("merge")
@command
def data_merge(
    parts: Annotated[list[str], typer.Argument(help="Datasets, each with its weight if not 1: support, chat=0.5.")],
    name: Annotated[str, typer.Option(help="What to call the result.")] = "",
    seed: Annotated[int, typer.Option(help="Which rows a weight below 1 takes.")] = 42,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Put datasets together: a weight of 0.5 takes half of the rows, 2 takes each twice."""
    from engine.data.merge import merge, part_from
    from studio.terminal.datasets import print_dataset

    made = merge(Home.open(home).datasets, [part_from(each) for each in parts], name=name, seed=seed)
    print_json(made) if json else print_dataset(made)


@library.command("delete")
@command
def data_delete(dataset: DatasetArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Delete a dataset; other versions of it stay."""
    from engine.data.versions import delete

    gone = delete(Home.open(home).datasets, dataset)
    print_json(gone) if json else console.print(f"Deleted {gone.name} ({gone.id}).", markup=False)


@library.command("recipe")
@command
def data_recipe(dataset: DatasetArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Print how a dataset is made from its source, as JSON that `data remake` follows."""
    from engine.data.fixing import recipe_of
    from engine.data.library import load_dataset

    print_json(recipe_of(load_dataset(Home.open(home).datasets, dataset)))


@library.command("remake")
@command
def data_remake(
    recipe: Annotated[Path, typer.Argument(help="A file with what `data recipe` printed.")],
    file: Annotated[Path, typer.Argument(help="The file that the dataset was first imported from.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a dataset again from its source, to the same hash."""
    from engine.data.fixing import read_recipe, remake
    from studio.terminal.datasets import print_dataset

    place = Home.open(home)
    limits = Limits.from_settings(load(place.settings))
    made = remake(place.datasets, read_recipe(recipe.expanduser()), file.expanduser().absolute(), limits=limits)
    print_json(made) if json else print_dataset(made)
