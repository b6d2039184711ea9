"""What a command that starts training takes: a dataset and settings in the user's words, made an order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine import orders
from engine.core.errors import StudioError
from engine.core.home import Home
from engine.data.nouns import Dataset
from studio.terminal.command import ask
from studio.terminal.show import say

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting as name=value, for example --set epochs=4. Can be repeated."),
]
DatasetArgument = Annotated[str, typer.Argument(help="A dataset's name or id, or a data file to import.")]
ModelOption = Annotated[
    str, typer.Option(help="A base model: `starter`, a name, or a folder; to plan, a config.json is enough.")
]
ProfileOption = Annotated[
    str, typer.Option(help="What for: chatbot, customer-support, ...; chosen from the data when left out.")
]
MethodOption = Annotated[
    str,
    typer.Option(
        help="lora, qlora, int8, rslora, lora+, dora, pissa, prefix, ia3, full, or a PEFT tuner; "
        "chosen for you when left out."
    ),
]
NameOption = Annotated[str, typer.Option(help="The run's name; the dataset's otherwise.")]


ParentOption = Annotated[
    str, typer.Option("--from", help="A version to go on from, with its model and method, instead of a fresh adapter.")
]


def order_of(
    dataset: str,
    model: str,
    profile: str,
    method: str,
    objective: str,
    name: str,
    edits: list[str] | None,
    parent: str = "",
) -> orders.Order:
    """The order that these words mean. Raises StudioError for a setting without a value."""
    return orders.Order(
        dataset=dataset,
        model=model_words(model),
        profile=profile,
        method=method,
        objective=objective,
        name=name,
        edits=dict(edit(each) for each in edits or []),
        parent=parent,
    )


def model_words(model: str) -> str:
    """A folder's full path, or a name as it is; `starter` is the starter model, whatever folders there are."""
    folder = Path(model).expanduser()
    return str(folder.absolute()) if model != "starter" and folder.is_dir() else model


def edit(words: str) -> tuple[str, str | int | float | bool]:
    """name=value, the value as the number or yes/no that it looks like."""
    name, equals, value = words.partition("=")
    if not equals:
        raise StudioError(f"“{words}” is not a setting.", "A setting has a name and a value.", "Write name=value.")
    try:
        return name.strip(), msgspec.json.decode(value, type=bool | int | float)
    except msgspec.MsgspecError:
        return name.strip(), value.strip()


def dataset_for(home: Home, words: str) -> str:
    """A dataset's id; a file is imported first."""
    path = Path(words).expanduser()
    if not path.is_file():
        return words
    say(f"Importing {path.name} ...")
    return ask(home, orders.Import(paths=(str(path.absolute()),)), Dataset, bar="Importing").id
