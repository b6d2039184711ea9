"""Writes the model card: fixed words from `card.md` and the numbers of this very model; knows no other source."""

import json
from collections import defaultdict
from pathlib import Path
from statistics import mean

from .measure import Recipe, Result
from .training import Outcome, Shape

TEMPLATE = Path(__file__).parent / "card.md"
SHOWN = 3


def write_card(folder: Path, shape: Shape, outcome: Outcome, recipe: Recipe, results: list[Result]) -> None:
    """Fills the card's template and writes it as the folder's README."""
    numbers = {
        **{name: f"{value:,}" for name, value in vars(shape).items()},
        **{f"recipe_{name}": str(value) for name, value in vars(recipe).items()},
        "parameters": f"{parameters(shape) / 1e6:.1f}",
        "head_size": str(shape.hidden // shape.heads),
        "steps": f"{outcome.steps:,}",
        "tokens": f"{outcome.tokens / 1e6:.1f}",
        "minutes": f"{outcome.seconds / 60:.0f}",
        "loss": f"{outcome.loss:.2f}",
        "table": _table(results),
        "examples": _examples(results),
    }
    (folder / "README.md").write_text(TEMPLATE.read_text(encoding="utf-8").format(**numbers), encoding="utf-8")


def parameters(shape: Shape) -> int:
    """Number of weights, the tied embedding counted once."""
    layer = 4 * shape.hidden**2 + 3 * shape.hidden * shape.mlp + 2 * shape.hidden
    return shape.vocabulary * shape.hidden + shape.layers * layer + shape.hidden


def _table(results: list[Result]) -> str:
    lines = [
        "| dataset | split seed | exact match before | after | token F1 before | after |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.dataset} | {r.split_seed} | {r.base.exact:.2f} | {r.tuned.exact:.2f} "
        f"| {r.base.token_f1:.2f} | {r.tuned.token_f1:.2f} |"
        for r in results
    ]
    seconds = defaultdict(list)
    for result in results:
        seconds[result.dataset].append(result.seconds)
    times = ", ".join(f"{name} {mean(values):.0f} s" for name, values in seconds.items())
    return "\n".join(lines) + (
        f"\n\nMean training time in these runs, with two threads beside whatever else the machine was doing: {times}."
        if times
        else ""
    )


def _examples(results: list[Result]) -> str:
    first = next((result for result in results if result.dataset == "support"), None)
    if first is None:
        return "Not measured."
    shown = [{"wanted": w, "before": b, "after": a} for w, b, a in first.examples[:SHOWN]]
    return "```json\n" + json.dumps(shown, indent=2, ensure_ascii=False) + "\n```"
