"""The linear layers of a transformer, by architecture: their names and widths, and which of them a method adapts.

What each family calls its layers is data (`assets/architectures.json`). An architecture that is not in it is taken to
be built like Llama, which most are, and that is said. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

Width = Literal["hidden", "query", "keys", "mlp"]
ALL_LINEAR = "all-linear"
GENERIC = "llama"


class LayerNames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One linear layer of a block: its module name, what it reads, and the pieces of what it writes."""

    name: str
    inputs: Width
    outputs: tuple[Width, ...]


class Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Architectures whose blocks look alike. `types` are values of `model_type` in config.json.

    `ia3` and `feedforward` are the usual targets of IA3; `gated` blocks multiply two inner layers; `mlp_share` is the
    inner width as a part of the number in config.json; `tied` says whether the output layer is the token table where
    config.json does not tell.
    """

    name: str
    types: tuple[str, ...]
    layers: tuple[LayerNames, ...]
    ia3: tuple[str, ...]
    feedforward: tuple[str, ...]
    gated: bool
    mlp_share: float
    tied: bool


class Widths(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a block: its stream, its queries, its keys (and values), its inner layer."""

    hidden: int
    query: int
    keys: int
    mlp: int

    def of(self, name: Width) -> int:
        """One of them by name."""
        match name:
            case "hidden":
                return self.hidden
            case "query":
                return self.query
            case "keys":
                return self.keys
            case "mlp":
                return self.mlp


class Linear(msgspec.Struct, frozen=True):
    """A linear layer: [outputs, inputs] weights. `inner` ones belong to the feed-forward part."""

    name: str
    inputs: int
    outputs: int
    inner: bool

    @property
    def weights(self) -> int:
        """How many it has."""
        return self.inputs * self.outputs


@cache
def families() -> tuple[Family, ...]:
    """Every family there is a description of."""
    data = (resources.files("assets") / "architectures.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Family, ...])


def known_type(model_type: str) -> bool:
    """Whether this architecture is described, not guessed."""
    return any(model_type in each.types for each in families())


def family_of(model_type: str) -> Family:
    """The family of a `model_type`; the Llama family for one that is not described."""
    found = next((each for each in families() if model_type in each.types), None)
    return found or next(each for each in families() if each.name == GENERIC)


@cache
def linears(family: Family, widths: Widths) -> tuple[Linear, ...]:
    """The linear layers of one block."""
    return tuple(
        Linear(
            each.name,
            widths.of(each.inputs),
            sum(widths.of(part) for part in each.outputs),
            "mlp" in (each.inputs, *each.outputs),
        )
        for each in family.layers
    )


def adapted(layers: Sequence[Linear], targets: Sequence[str]) -> tuple[Linear, ...]:
    """Those that target names mean, as PEFT reads them: whole names, or the end of a dotted one."""
    if ALL_LINEAR in targets:
        return tuple(layers)
    last = {name.rsplit(".", 1)[-1] for name in targets}
    inner = {name for name in targets if name.startswith("mlp.")}
    return tuple(each for each in layers if each.name in last and (each.inner or f"mlp.{each.name}" not in inner))


def unknown_targets(layers: Sequence[Linear], targets: Sequence[str]) -> tuple[str, ...]:
    """Target names that no layer has."""
    names = {each.name for each in layers} | {ALL_LINEAR}
    return tuple(name for name in targets if name.rsplit(".", 1)[-1] not in names)


def block_weights(layers: Sequence[Linear], experts: int) -> int:
    """Linear weights of one block; the feed-forward part as often as there are experts."""
    return sum(each.weights * (max(1, experts) if each.inner else 1) for each in layers)
