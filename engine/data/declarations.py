"""Datasets that other programs' files declare: which files, and what their columns mean.

Read are `dataset_info.json` of LLaMA-Factory (file_name, formatting, ranking, columns, tags) and the dataset sections
of Axolotl and TRL configs (YAML). What a declaration leaves open is found from the data; nothing is downloaded.
"""

from __future__ import annotations

import difflib
from pathlib import Path

import msgspec

from engine.core.errors import DataError, from_os
from engine.data.axolotl import Config, axolotl_mapping
from engine.data.nouns import Mapping, Speaker, Tags

INFO = "dataset_info.json"
MOST_BYTES = 5_000_000
SPEAKER_TAGS: tuple[tuple[str, Speaker], ...] = (
    ("user_tag", "user"),
    ("assistant_tag", "assistant"),
    ("function_tag", "assistant"),
    ("observation_tag", "tool"),
    ("system_tag", "system"),
)


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """One declared dataset: its name, its files, and what its columns mean (None: find out)."""

    name: str
    paths: tuple[Path, ...]
    mapping: Mapping | None


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of `dataset_info.json`; fields that say nothing about the rows are passed over."""

    file_name: str = ""
    formatting: str = "alpaca"
    ranking: bool = False
    columns: dict[str, str | None] = {}
    tags: dict[str, str] = {}


def is_declaration(path: Path) -> bool:
    """A file that names data and holds none."""
    return path.name.partition("#")[0] == INFO or path.name.partition("#")[0].lower().endswith((".yaml", ".yml"))


def read_declaration(path: Path) -> Declared:
    """The dataset that a declaration names; `file#name` picks one of several.

    Raises DataError when it cannot be read, names several or none, or its files are not on this machine.
    """
    file, _, wanted = path.name.partition("#")
    path = path.with_name(file)
    found = _info(path) if file == INFO else _config(path)
    local = [each for each in found if each.paths]
    if not local:
        raise _remote(path, [each.name for each in found])
    named = [each for each in local if each.name == wanted] if wanted else local
    if not named:
        raise _choose(path, local, wanted)
    first = named[0]
    if any(each.mapping != first.mapping for each in named) or (file == INFO and len(named) > 1):
        raise _choose(path, local, wanted)
    return msgspec.structs.replace(first, paths=tuple(dict.fromkeys(each for one in named for each in one.paths)))


def declared_beside(path: Path) -> Mapping | None:
    """What a `dataset_info.json` in the same folder says of this file; None when it does not name it."""
    info = path.parent / INFO
    try:
        if path.name == INFO or not info.is_file():
            return None
        found = _info(info)
    except (DataError, OSError):
        return None  # it may belong to another program (`datasets` writes one by this name)
    return next((each.mapping for each in found if path in each.paths), None)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path.name} is too large.", "A declaration is a short file.", "Choose the data itself.")
        return path.read_bytes()
    except FileNotFoundError as error:
        why = f"Nothing was found at {path}."
        raise DataError(f"There is no file {path.name}.", why, "Check the path and its spelling.") from error
    except OSError as error:
        raise from_os(error, f"reading {path.name}") from error


def _info(path: Path) -> list[Declared]:
    try:
        entries = msgspec.json.decode(_content(path), type=dict[str, _Entry])
    except msgspec.MsgspecError as error:
        raise _unreadable(path, str(error)) from error
    return [
        Declared(name=name, paths=_paths(path, [each.file_name]), mapping=_llama_factory(each))
        for name, each in entries.items()
    ]


def _llama_factory(entry: _Entry) -> Mapping:
    """The mapping of an entry, with the defaults of LLaMA-Factory's data/README.md."""
    columns = {role: column for role, column in entry.columns.items() if column}
    spoken = entry.formatting in ("sharegpt", "openai")
    system, tools, rating = (columns.get(role, "") for role in ("system", "tools", "kto_tag"))
    usual = "messages" if entry.formatting == "openai" else "conversations"
    messages = columns.get("messages", usual) if spoken else columns.get("history", "")
    asked = "" if spoken else columns.get("prompt", "instruction")
    extra = "" if spoken else columns.get("query", "" if columns else "input")
    answer = "" if spoken else columns.get("response", "" if columns else "output")
    base = Mapping(schema="chat", messages=messages, instruction=asked, input=extra, system=system, tags=_tags(entry))
    if entry.ranking:
        better, worse = columns.get("chosen", "chosen"), columns.get("rejected", "rejected")
        return msgspec.structs.replace(base, schema="preference", chosen=better, rejected=worse)
    if rating:
        return msgspec.structs.replace(base, schema="kto", label=rating, output=answer)
    if spoken:
        return msgspec.structs.replace(base, tools=tools)
    if not answer:
        return Mapping(schema="text", text=asked)
    return msgspec.structs.replace(base, schema="instruction", output=answer)


def _tags(entry: _Entry) -> Tags:
    said: dict[str, Speaker] = {entry.tags[tag]: speaker for tag, speaker in SPEAKER_TAGS if tag in entry.tags}
    return Tags(role=entry.tags.get("role_tag", ""), content=entry.tags.get("content_tag", ""), speakers=said)


def _config(path: Path) -> list[Declared]:
    """The dataset section of an Axolotl or TRL config."""
    config = _yaml(path)
    found = [
        Declared(
            name=each.name or each.path, paths=_paths(path, each.files()), mapping=axolotl_mapping(each, config.rl)
        )
        for each in config.datasets
    ]
    if config.dataset_name:
        found.append(Declared(name=config.dataset_name, paths=_paths(path, [config.dataset_name]), mapping=None))
    if not found:
        raise _unreadable(path, "it has no section “datasets” and no “dataset_name”")
    return found


def _yaml(path: Path) -> Config:
    content = _content(path)
    try:
        import yaml
    except ImportError as error:
        raise DataError(
            f"{path.name} cannot be read.", "The library for YAML (PyYAML) is not installed.", "Choose the data itself."
        ) from error
    try:
        return msgspec.convert(yaml.safe_load(content), Config)
    except (yaml.YAMLError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error


def _paths(declaration: Path, names: list[str]) -> tuple[Path, ...]:
    """The files of that name that are on this machine: beside the declaration, or above it as in these projects."""
    folder = declaration.absolute().parent
    places = [folder, *list(folder.parents)[:3]]
    found = [next((place / name for place in places if name and (place / name).exists()), None) for name in names]
    return tuple(each for each in found if each is not None) if all(found) else ()


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(
        f"{path.name} is no declaration of datasets that can be read.",
        f"{why[:300]}.",
        "Read are dataset_info.json of LLaMA-Factory, and Axolotl and TRL configs.",
        "Or choose the data file itself.",
    )


def _choose(path: Path, local: list[Declared], wanted: str) -> DataError:
    names = [each.name for each in local]
    near = difflib.get_close_matches(wanted, names, 1)
    return DataError(
        f"{path.name} declares no dataset “{wanted}”." if wanted else f"{path.name} declares several datasets.",
        f"On this machine are: {', '.join(names[:20])}.",
        f"Name one of them: {path.name}#{near[0] if near else names[0]}.",
    )


def _remote(path: Path, names: list[str]) -> DataError:
    return DataError(
        f"The data that {path.name} declares is not on this machine.",
        f"It names {', '.join(names[:5]) or 'nothing'}, which is no file or folder here.",
        "Download the dataset, and choose its folder.",
        "Or correct the path in the declaration.",
    )
