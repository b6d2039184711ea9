"""What cannot be combined, said before anything starts, with the nearest that can. Pure.

Each rule is a row: when it holds, what is said, why, and what to do instead. What the structs of engine/spec cannot
even say (PiSSA on 4 bits) is caught here, too, when a person asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from engine.core.errors import PlanError
from engine.plan.hardware import Hardware
from engine.plan.methods import MethodFacts
from engine.spec.methods import BESIDE_THE_TEXT, Method, Prefix, Tuner
from engine.spec.records import Fact
from engine.spec.runspec import Training

QUANTIZABLE = ("qlora", "dora")


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of an impossible combination."""

    what: str
    why: str
    instead: tuple[str, ...]


def refuse_foreign(method: MethodFacts, edits: Mapping[str, Fact]) -> None:
    """Raise PlanError when a setting asks a method for what it cannot do: a quantized base, above all."""
    asked = str(edits.get("quantization", "none")).lower()
    if asked not in ("none", "nf4", "fp4", "int8") or asked == "none":
        return
    refusal = _quantized(method, asked)
    if refusal is not None:
        raise PlanError(refusal.what, refusal.why, *refusal.instead)


def _quantized(method: MethodFacts, asked: str) -> Refusal | None:
    if method.kind == "dora" and asked == "int8":
        return Refusal(
            what="DoRA cannot be combined with a base in 8 bits.",
            why="It measures the length of each weight, and PEFT's 8-bit layers cannot give it while evaluating.",
            instead=("Choose dora with quantization=nf4.", "Or choose int8 (LoRA on 8 bits)."),
        )
    if method.kind in QUANTIZABLE:
        return None
    if method.kind == "pissa":
        return Refusal(
            what="PiSSA cannot be combined with a quantized base.",
            why="It takes the strongest directions out of the weights themselves: "
            "codes of 4 or 8 bits cannot be split.",
            instead=(f"Choose {_nearest(asked)}: LoRA on the quantized base.", "Or leave the base as it is."),
        )
    if method.kind == "full":
        return Refusal(
            what="Training every weight cannot be combined with a quantized base.",
            why="Weights in 4 or 8 bits are too coarse to be moved by small steps.",
            instead=(f"Choose {_nearest(asked)}: the base is quantized and an adapter is trained.", "Or choose lora."),
        )
    return Refusal(
        what=f"{method.title} cannot be combined with a quantized base (quantization={asked}).",
        why="Only QLoRA and DoRA train on one here.",
        instead=(f"Choose {_nearest(asked)}.", "Or leave the base as it is."),
    )


def _nearest(asked: str) -> str:
    return "int8" if asked == "int8" else "qlora"


Rule = Callable[[Method, Training, Hardware, int], Refusal | None]


def learns_positions(method: Method) -> bool:
    """Whether the method learns positions before the text, which go through the attention's cache."""
    return isinstance(method, Prefix) or (isinstance(method, Tuner) and method.tuner in BESIDE_THE_TEXT)


def _cache_and_checkpointing(
    method: Method, training: Training, _hardware: Hardware, _processes: int
) -> Refusal | None:
    if not (learns_positions(method) and training.gradient_checkpointing):
        return None
    return Refusal(
        what="Prefix and prompt methods cannot be combined with activation checkpointing.",
        why="Their learned positions travel in the attention's cache, which checkpointing drops.",
        instead=(
            "Switch checkpointing off and choose a smaller micro-batch.",
            "Or choose lora, which takes little more memory and can be checkpointed.",
        ),
    )


def _eight_bit_optimizer(_method: Method, training: Training, hardware: Hardware, _processes: int) -> Refusal | None:
    if training.optimizer != "adamw8bit" or hardware.gpu is not None:
        return None
    return Refusal(
        what="The 8-bit optimizer needs an NVIDIA GPU.",
        why="Its kernels exist for CUDA only, and there is no such card here.",
        instead=("Choose optimizer=adamw.", "For adapters the saving would be small in any case."),
    )


def _half_on_processor(_method: Method, training: Training, hardware: Hardware, _processes: int) -> Refusal | None:
    if training.precision != "fp16" or hardware.gpu is not None:
        return None
    return Refusal(
        what="16-bit floats with a short range (fp16) need a GPU.",
        why="Processors compute them slowly or not at all.",
        instead=("Choose precision=bf16, which is as small.", "Or choose precision=fp32."),
    )


def _more_than_there_are(_method: Method, _training: Training, hardware: Hardware, processes: int) -> Refusal | None:
    most = len(hardware.gpus) or hardware.cores
    if processes <= most:
        return None
    kind = ("card" if hardware.gpus else "core") + "s" * (most > 1)
    return Refusal(
        what=f"{processes} processes cannot share this run.",
        why=f"Each needs a {kind.rstrip('s')} of its own, and there {'are' if most > 1 else 'is'} {most} {kind}.",
        instead=(
            f"Choose processes={most}.",
            "For several machines read “Several processes” in engine/worker/README.md.",
        ),
    )


RULES: tuple[Rule, ...] = (_cache_and_checkpointing, _eight_bit_optimizer, _half_on_processor, _more_than_there_are)


def refuse_impossible(method: Method, training: Training, hardware: Hardware, processes: int = 1) -> None:
    """Raise PlanError for the first rule that stands against this plan, naming the nearest that is possible."""
    for rule in RULES:
        refusal = rule(method, training, hardware, processes)
        if refusal is not None:
            raise PlanError(refusal.what, refusal.why, *refusal.instead)
