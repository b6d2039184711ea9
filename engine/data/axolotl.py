"""The dataset section of an Axolotl config, and what its types say of the columns. Configs of TRL share its outline.

Types that are not known here leave the columns to be found from the data.
"""

from __future__ import annotations

import msgspec

from engine.data.nouns import Mapping, Speaker, Tags


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A custom type: which column is what."""

    field_system: str = ""
    field_instruction: str = ""
    field_input: str = ""
    field_output: str = ""
    field_prompt: str = ""
    field_completion: str = ""
    field_label: str = ""
    field_chosen: str = ""
    field_rejected: str = ""
    field_messages: str = ""
    system_prompt: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset of a config."""

    path: str = ""
    name: str | None = None
    data_files: str | list[str] | None = None
    type: str | Kind | None = None
    field: str | None = None
    field_messages: str | None = None
    field_system: str | None = None
    field_chosen: str | None = None
    field_rejected: str | None = None
    field_tools: str | None = None
    message_field_role: str | None = None
    message_field_content: str | None = None
    message_property_mappings: dict[str, str] = {}
    roles: dict[str, list[str]] = {}

    def files(self) -> list[str]:
        """The files or the folder that hold it."""
        if self.data_files:
            return [self.data_files] if isinstance(self.data_files, str) else self.data_files
        return [self.path]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What a config says of data; all else is passed over."""

    datasets: list[Entry] = []
    dataset_name: str | None = None
    rl: str | None = None


_PREFERENCES = {
    "intel": Mapping(
        schema="preference", instruction="question", chosen="chosen", rejected="rejected", system="system"
    ),
    "prompt_pairs": Mapping(
        schema="preference", instruction="prompt", chosen="chosen", rejected="rejected", system="system"
    ),
    "ultra": Mapping(schema="preference", instruction="prompt", chosen="chosen", rejected="rejected", system="system"),
    "argilla": Mapping(
        schema="preference",
        instruction="instruction",
        chosen="chosen_response",
        rejected="rejected_response",
        system="system",
    ),
}


def axolotl_mapping(entry: Entry, rl: str | None) -> Mapping | None:
    """What the entry's type says of its columns; None where it leaves that open."""
    if isinstance(entry.type, Kind):
        return _custom(entry.type)
    kind = (entry.type or "").split(":")[0]
    if kind.startswith("chat_template") or kind in ("sharegpt", "chatml") or entry.field_messages:
        return _chat(entry, rl, "conversations" if kind == "sharegpt" else "messages")
    if rl:
        return _PREFERENCES.get(kind.rpartition(".")[2])
    if kind in ("alpaca", "alpaca_chat.load", "alpaca_w_system"):
        return Mapping(schema="instruction", instruction="instruction", input="input", output="output", system="system")
    if kind in ("completion", "pretrain"):
        return Mapping(schema="text", text=entry.field or "text")
    return None


def _custom(kind: Kind) -> Mapping | None:
    asked = kind.field_prompt or kind.field_instruction
    base = Mapping(schema="instruction", instruction=asked, system=kind.field_system, system_text=kind.system_prompt)
    if kind.field_chosen and kind.field_rejected:
        messages = kind.field_messages
        pair = msgspec.structs.replace(base, chosen=kind.field_chosen, rejected=kind.field_rejected, messages=messages)
        return msgspec.structs.replace(pair, schema="preference")
    if kind.field_label and kind.field_completion:
        return msgspec.structs.replace(base, schema="kto", output=kind.field_completion, label=kind.field_label)
    if asked and kind.field_output:
        return msgspec.structs.replace(base, input=kind.field_input, output=kind.field_output)
    return None


def _chat(entry: Entry, rl: str | None, usual: str) -> Mapping:
    messages = entry.field_messages or usual
    named = entry.message_property_mappings
    role = named.get("role") or entry.message_field_role or ""
    content = named.get("content") or entry.message_field_content or ""
    said: dict[str, Speaker] = {
        word: speaker for speaker in ("system", "user", "assistant", "tool") for word in entry.roles.get(speaker, [])
    }
    base = Mapping(
        schema="chat",
        messages=messages,
        system=entry.field_system or "",
        tools=entry.field_tools or "",
        tags=Tags(role=role, content=content, speakers=said),
    )
    if not rl:
        return base
    better, worse = entry.field_chosen or "chosen", entry.field_rejected or "rejected"
    return msgspec.structs.replace(base, schema="preference", chosen=better, rejected=worse, tools="")
