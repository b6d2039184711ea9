"""Which models a GGUF file can hold here, and why others cannot: judged from config.json, before anything is loaded.

A family is in the table when tests show that llama.cpp gives its logits (llama.cpp: `src/models/`).
"""

from __future__ import annotations

import msgspec


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """How llama.cpp knows a family. `interleaved`: it turns neighbouring pairs of queries and keys, where transformers
    turns halves, so their rows change places; `shifted`: norm weights are stored as differences from one."""

    arch: str
    activation: str = "silu"
    interleaved: bool = False
    shifted: bool = False
    full_every: int = 0


FAMILIES = {
    "llama": Family(arch="llama", interleaved=True),
    "mistral": Family(arch="llama", interleaved=True),
    "qwen2": Family(arch="qwen2"),
    "qwen3": Family(arch="qwen3"),
    "gemma": Family(arch="gemma", activation="gelu_pytorch_tanh", shifted=True),
    "gemma2": Family(arch="gemma2", activation="gelu_pytorch_tanh", shifted=True, full_every=2),
    "gemma3_text": Family(arch="gemma3", activation="gelu_pytorch_tanh", shifted=True, full_every=6),
    "phi3": Family(arch="phi3"),
}
"""By the `model_type` of config.json. `full_every`: each n-th layer sees the whole text, the others a window."""
ROPES = ("default", "linear", "llama3")


class Rope(msgspec.Struct, frozen=True):
    """One entry of `rope_parameters`, or the older `rope_scaling`."""

    rope_type: str = ""
    type: str = ""

    @property
    def kind(self) -> str:
        return self.rope_type or self.type or "default"


class _Ropes(msgspec.Struct, frozen=True):
    full_attention: Rope
    sliding_attention: Rope


class ModelShape(msgspec.Struct, frozen=True):
    """What config.json says that decides whether llama.cpp computes the same."""

    model_type: str = ""
    hidden_size: int = 0
    num_attention_heads: int = 1
    head_dim: int | None = None
    hidden_act: str | None = None
    hidden_activation: str | None = None
    rope_parameters: msgspec.Raw = msgspec.Raw(b"null")
    rope_scaling: Rope | None = None
    query_pre_attn_scalar: float | None = None
    layer_types: list[str] | None = None
    use_bidirectional_attention: bool | str | None = None

    def ropes(self) -> tuple[str, ...]:
        """The kinds of position coding in use."""
        try:
            both = msgspec.json.decode(self.rope_parameters, type=_Ropes)
            return both.full_attention.kind, both.sliding_attention.kind
        except msgspec.MsgspecError:
            one = msgspec.json.decode(self.rope_parameters, type=Rope | None)
            return ((one or self.rope_scaling or Rope()).kind,)


def family_problem(config: bytes) -> str:
    """Why the model of this config.json cannot be a GGUF file; empty when it can."""
    try:
        shape = msgspec.json.decode(config, type=ModelShape)
        ropes = shape.ropes()
    except msgspec.MsgspecError as error:
        return f"its config.json cannot be read: {error}"
    family = FAMILIES.get(shape.model_type)
    if family is None:
        return f"the family “{shape.model_type}” is not among those that were verified: {', '.join(FAMILIES)}"
    return next((why for why in _differences(shape, family, ropes) if why), "")


def _differences(shape: ModelShape, family: Family, ropes: tuple[str, ...]) -> tuple[str, ...]:
    strange = next((kind for kind in ropes if kind not in ROPES), "")
    activation = shape.hidden_activation or shape.hidden_act or family.activation
    head = shape.head_dim or shape.hidden_size // shape.num_attention_heads
    scaled = shape.query_pre_attn_scalar not in (None, head) and family.full_every > 0
    full = [number for number, kind in enumerate(shape.layer_types or ()) if kind == "full_attention"]
    every = list(range(family.full_every - 1, len(shape.layer_types or ()), family.full_every or 1))
    return (
        f"its position coding “{strange}” is not among those that were verified: {', '.join(ROPES)}" if strange else "",
        f"its activation is {activation}, and llama.cpp computes {family.activation}"
        if activation != family.activation
        else "",
        "it scales its attention by another number than llama.cpp does" if scaled else "",
        "its layers with a window stand elsewhere than llama.cpp expects"
        if family.full_every and shape.layer_types and full != every
        else "",
        "it looks both ways, and llama.cpp would look back only" if shape.use_bidirectional_attention else "",
    )
