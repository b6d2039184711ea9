"""Options of planning: what is learned, and planning without a dataset for a device that is not here."""

from __future__ import annotations

from typing import Annotated

import typer

SomeDataset = Annotated[
    str | None,
    typer.Argument(help="A dataset's name or id, or a data file to import; without one, rows are assumed."),
]
ObjectiveOption = Annotated[
    str, typer.Option(help="What is learned: sft (imitation), dpo, orpo or kto; follows from the data when left out.")
]
MemoryOption = Annotated[
    str, typer.Option(help="Without a dataset: plan for a CUDA card of this memory, for example 24GB.")
]
DeviceOption = Annotated[
    str, typer.Option(help="Without a dataset: plan for a device that is not here, for example “RTX 4090”.")
]
ProbeOption = Annotated[
    bool, typer.Option("--probe", help="With a dataset: time the first steps here, and correct the estimate by them.")
]
LossOption = Annotated[
    str,
    typer.Option(
        help="Without a dataset: labelled, as runs here compute the loss; or what other trainers would need: chunked, "
        "or eager, all scores at once. With these, training every weight is counted in 16 bits throughout."
    ),
]
