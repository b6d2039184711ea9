"""What evaluation writes and what a model host says: the nouns of answering, on both sides of the process line."""

from __future__ import annotations

from typing import Annotated

import msgspec

from engine.spec.fields import Level, described

BASE = "base"
"""The name under which the bare base model answers."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `results.jsonl`: what one model said to one held-out row.

    `nll` is the summed loss in nats over the row's `trained_tokens`; both are over responses only.
    """

    row: int
    model: str
    prompt: str
    reference: str
    text: str
    tokens: int
    complete: bool
    nll: float
    trained_tokens: int


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """How a model answers in a conversation: what a person can set, described once for every face."""

    temperature: Annotated[
        float,
        described(
            "Temperature",
            "0 always takes the likeliest word; more makes answers more varied.",
            level=Level.ESSENTIAL,
            ge=0,
            le=2,
        ),
    ] = 0.0
    max_new_tokens: Annotated[
        int,
        described("Longest answer", "It is cut off there.", unit="tokens", level=Level.ESSENTIAL, ge=1, le=32_768),
    ] = 128
    remember: Annotated[
        bool,
        described(
            "Remember the conversation",
            "Each model reads the earlier turns again; off, every question stands alone.",
            level=Level.ESSENTIAL,
        ),
    ] = True
    seed: Annotated[
        int, described("Seed", "The same seed repeats the same answer.", level=Level.ESSENTIAL, ge=0, le=2**31 - 1)
    ] = 0
    top_p: Annotated[
        float,
        described("Top-p", "Draws from the likeliest words that have this share together; 1 from all.", gt=0, le=1),
    ] = 1.0
    top_k: Annotated[
        int, described("Top-k", "Draws from this many of the likeliest words; 0 from all.", unit="words", ge=0, le=1000)
    ] = 0
    repetition_penalty: Annotated[
        float,
        described("Repetition penalty", "Above 1, words that were said already become less likely.", ge=1, le=2),
    ] = 1.0
    stop: Annotated[tuple[str, ...], described("Stop words", "The answer ends before the first of these texts.")] = ()


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """`endpoint.json`: where a model host listens (127.0.0.1 only) and the key that a client must say first."""

    port: int
    key: str
    pid: int


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="generate"):
    """Answer a prompt. `adapter` is BASE or an adapter's name; `tokens` are the rendered prompt's ids.

    `temperature` 0 takes the likeliest token each time, `top_k` 0 draws from all, a `repetition_penalty` of 1 changes
    nothing. `id` is the client's own and comes back with each token.
    """

    id: str
    adapter: str
    tokens: list[int]
    max_new_tokens: int
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    seed: int
    end_tokens: list[int]


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="hello"):
    """The first line of a client."""

    key: str


class Attach(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="attach"):
    """Load one more adapter onto the base that is in memory; loading the same name again does nothing."""

    id: str
    name: str
    path: str
    whole: bool = False


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="cancel"):
    """Stop an answer; what was said of it stays said."""

    id: str


Call = Hello | Ask | Attach | Cancel


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One line from the host: tokens of answer `id`, its end with figures, or an error.

    `memory` is the host's resident bytes; rates are tokens per second after the first.
    """

    id: str
    tokens: list[int] = []
    done: bool = False
    first_token_seconds: float = 0.0
    tokens_per_second: float = 0.0
    memory: int = 0
    adapters: list[str] = []
    swap_seconds: float = 0.0
    error: str = ""
