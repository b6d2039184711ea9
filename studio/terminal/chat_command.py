"""`peft-studio chat`: its options are drawn from the one place where the settings of answering are described."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
import msgspec
import typer

from engine.core.errors import DataError
from engine.core.home import Home
from engine.spec.answers import Answering
from engine.spec.fields import settings_of
from studio.terminal.command import HomeOption, JsonOption, command
from studio.terminal.evaluating import VersionArgument

SETTINGS = settings_of(Answering)
USUAL = Answering()


def _setting(name: str, flag: str) -> Any:
    """The option of one setting, with its help and its limits."""
    setting = SETTINGS[name]
    return typer.Option(flag, help=f"{setting.title}. {setting.help}", min=setting.minimum, max=setting.maximum)


@command
def chat(
    version: VersionArgument = "last",
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="Ask this once instead of a conversation.")] = "",
    base: Annotated[bool, typer.Option("--base", help="Let the base model answer too.")] = False,
    system: Annotated[str, typer.Option(help="A text that stands before the conversation: who the model is.")] = "",
    temperature: Annotated[float, _setting("temperature", "--temperature")] = USUAL.temperature,
    max_tokens: Annotated[int, _setting("max_new_tokens", "--max-tokens")] = USUAL.max_new_tokens,
    seed: Annotated[int, _setting("seed", "--seed")] = USUAL.seed,
    top_p: Annotated[float, _setting("top_p", "--top-p")] = USUAL.top_p,
    top_k: Annotated[int, _setting("top_k", "--top-k")] = USUAL.top_k,
    repetition_penalty: Annotated[float, _setting("repetition_penalty", "--repetition-penalty")] = (
        USUAL.repetition_penalty
    ),
    stop: Annotated[
        list[str] | None, typer.Option(help=f"{SETTINGS['stop'].help} Repeatable.", show_default=False)
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Let every question stand alone.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Talk to a tuned model, with the base beside it if you like."""
    from studio.terminal.chatting import Chat

    answering = Answering(
        temperature=temperature,
        max_new_tokens=max_tokens,
        remember=not alone,
        seed=seed,
        top_p=top_p,
        top_k=top_k,
        repetition_penalty=repetition_penalty,
        stop=tuple(each for each in stop or () if each),
    )
    talk = Chat(Home.open(home), version, with_base=base, answering=_within(answering), system=system)
    anyio.run(talk.run, prompt, json)


def _within(answering: Answering) -> Answering:
    """The settings, if each keeps to its limits; those of an option cannot say “more than”. Raises DataError."""
    try:
        return msgspec.json.decode(msgspec.json.encode(answering), type=Answering)
    except msgspec.ValidationError as error:
        raise DataError("A model cannot answer like this.", f"{error}.", "Look at: peft-studio chat --help") from error
