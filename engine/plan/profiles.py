"""Profiles: the one dial a beginner turns. What each sets is data (`assets/profiles.json`), checked when it is read."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.errors import PlanError
from engine.data.nouns import Schema


class Generation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the tuned model should answer. Temperature 0 always takes the likeliest word."""

    temperature: Annotated[float, Meta(ge=0, le=2)]
    top_p: Annotated[float, Meta(gt=0, le=1)]
    max_new_tokens: Annotated[int, Meta(ge=1, le=32_768)]


class Dials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where training starts from. `learning_rate_scale` and `epochs_scale` multiply what model and data ask for."""

    method: str
    rank: Annotated[int, Meta(ge=1, le=512)]
    alpha_ratio: Annotated[float, Meta(gt=0, le=8)]
    dropout: Annotated[float, Meta(ge=0, lt=1)]
    targets: tuple[str, ...]
    learning_rate_scale: Annotated[float, Meta(gt=0, le=10)]
    epochs_scale: Annotated[float, Meta(gt=0, le=10)]
    schedule: Literal["cosine", "linear", "constant"]
    warmup_share: Annotated[float, Meta(ge=0, le=0.5)]
    weight_decay: Annotated[float, Meta(ge=0, le=1)]
    context: Annotated[int, Meta(ge=16)]


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of task, with an example, what it needs, and what it sets."""

    id: str
    title: str
    description: str
    example_input: str
    example_output: str
    needs: str
    schemas: tuple[Schema, ...]
    why: str
    generation: Generation
    dials: Dials


_own: tuple[Profile, ...] = ()


def offer(own: tuple[Profile, ...]) -> None:
    """Have the user's own profiles beside those of the product, in place of what was offered before."""
    global _own
    _own = own


def profiles() -> tuple[Profile, ...]:
    """Every profile, in the order they are shown; the user's own come last."""
    return (*shipped(), *_own)


@cache
def shipped() -> tuple[Profile, ...]:
    """The profiles of the product."""
    data = (resources.files("assets") / "profiles.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Profile, ...])


def profile(wanted: str) -> Profile:
    """The profile with this id. Raises PlanError with the choices."""
    by_id = {each.id: each for each in profiles()}
    if wanted in by_id:
        return by_id[wanted]
    near = difflib.get_close_matches(wanted, by_id, 1)
    raise PlanError(
        f"There is no profile “{wanted}”.",
        f"There are: {', '.join(by_id)}.",
        f"Did you mean “{near[0]}”?" if near else "Choose one of them.",
    )


def example_of(wanted: str) -> str:
    """A prompt of this profile; one of the product's first where it is gone, as a user's own may be."""
    return next((each.example_input for each in profiles() if each.id == wanted), shipped()[0].example_input)


def profile_for(schema: Schema) -> Profile:
    """The profile that suits rows of this schema, for someone who has not chosen one."""
    return next(each for each in profiles() if schema in each.schemas)
