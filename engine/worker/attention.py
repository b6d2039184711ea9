"""Attention over packed rows: rows laid end to end, each of which sees only itself, and nothing is padded.

On CUDA in half precision one kernel takes rows of any lengths (Dao 2023, arXiv:2307.08691, as PyTorch ships it);
elsewhere each row gets a call of its own. No mask of rows by rows is ever made. Krell et al. 2021 (arXiv:2107.02027).
"""

from __future__ import annotations

from typing import Any

import msgspec
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

NAME = "packed_rows"
KNOWN_LAYERS = {"full_attention", "sliding_attention"}
HALF = (torch.bfloat16, torch.float16)


class Lengths(msgspec.Struct, frozen=True):
    """Where packed rows end. ends: [rows + 1] int32 on the device, from 0; rows: tokens of each; longest of them."""

    ends: torch.Tensor
    rows: tuple[int, ...]

    @property
    def longest(self) -> int:
        return max(self.rows)


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    lengths: Lengths | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **_more: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention as transformers calls it: query [rows, heads, tokens, width], one row when they are packed.

    Returns [rows, tokens, heads, width]. Raises NotImplementedError for scores that are bent or sinks that are learned.
    """
    if softcap is not None or s_aux is not None:
        raise NotImplementedError("attention that does more than weigh")
    if lengths is None:
        return _causal(query, key, value, scaling, dropout, sliding_window).transpose(1, 2).contiguous(), None
    if query.is_cuda and query.dtype in HALF and not dropout:
        return _in_one_kernel(query, key, value, scaling, sliding_window, lengths), None
    queries, keys, values = (each.split(lengths.rows, dim=2) for each in (query, key, value))
    rows = [_causal(*each, scaling, dropout, sliding_window) for each in zip(queries, keys, values, strict=True)]
    return torch.cat(rows, dim=2).transpose(1, 2).contiguous(), None


def _causal(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    dropout: float,
    window: int | None,
) -> torch.Tensor:
    size = query.shape[2]
    options: dict[str, Any] = {"scale": scaling, "dropout_p": dropout, "enable_gqa": key.shape[1] != query.shape[1]}
    if window is None or size <= window:
        return scaled_dot_product_attention(query, key, value, is_causal=True, **options)
    places = torch.arange(size, device=query.device)
    behind = places[:, None] - places[None, :]
    return scaled_dot_product_attention(query, key, value, attn_mask=(behind >= 0) & (behind < window), **options)


def _in_one_kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    window: int | None,
    lengths: Lengths,
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn

    found = varlen_attn(
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        lengths.ends,
        lengths.ends,
        lengths.longest,
        lengths.longest,
        scale=scaling,
        window_size=(window - 1 if window else -1, 0),
        enable_gqa=key.shape[1] != query.shape[1],
    )
    assert isinstance(found, torch.Tensor)
    return found[None]


def _no_mask(*_given: Any, **_more: Any) -> None:
    """In place of transformers' own masks: `attend` knows what each row may see."""


def use_packed(model: nn.Module) -> bool:
    """Let the model attend through `attend`, where its layers are of kinds that can; False changes nothing."""
    from transformers import AttentionInterface, AttentionMaskInterface

    config = model.config.get_text_config()  # type: ignore[union-attr, operator]
    if set(getattr(config, "layer_types", None) or KNOWN_LAYERS) - KNOWN_LAYERS:
        return False
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _no_mask)
    try:
        model.set_attn_implementation(NAME)  # type: ignore[operator]
    except (ValueError, NotImplementedError):
        return False
    return True


def attention_of(model: nn.Module) -> str:
    """The name of the attention that a model computes with."""
    return str(model.config._attn_implementation)  # type: ignore[union-attr]


def use_padded(model: nn.Module, own: str) -> None:
    """Back to the attention that the model was loaded with."""
    if attention_of(model) == NAME:
        model.set_attn_implementation(own)  # type: ignore[operator]


def lengths_of(rows: tuple[int, ...]) -> Lengths:
    """Where rows of these lengths end when they are packed."""
    ends = [0]
    for length in rows:
        ends.append(ends[-1] + length)
    return Lengths(torch.tensor(ends, dtype=torch.int32), rows)


def places_of(rows: tuple[int, ...]) -> torch.Tensor:
    """Each packed token's place in its own row: [1, tokens] int64."""
    return torch.cat([torch.arange(length) for length in rows])[None]
