"""One setting of a plan: what it is, why, and where that came from."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.spec.records import Fact

Source = Literal["profile", "data", "hardware", "model", "usual", "you"]
Settled = Fact | tuple[str, ...]
"""A value in its right type."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A setting's value, with its reason in plain words and its source."""

    name: str
    value: Settled
    reason: str
    source: Source
