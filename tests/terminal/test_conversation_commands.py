"""Conversations from the command line: talk, find it again, export it, make rows of it, and delete it with regret."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from engine.core.home import Home
from engine.plan.models import starter_path
from engine.serving.nouns import Conversation
from engine.spec.digests import MODEL_FILES, digests
from engine.spec.files import write_struct
from tests.terminal.test_commands import answer, call
from tests.terminal.test_result_commands import dataset, home, kept  # noqa: F401

pytestmark = pytest.mark.worker


def test_a_talk_is_kept_exported_made_rows_of_and_deleted_with_regret(home: Home, dataset, tmp_path: Path) -> None:  # noqa: F811
    version = kept(home, dataset, "20260101-000000-shop-aa11", 0.05)
    place = home.path
    how = ("--max-tokens", "6", "--system", "Be kind.", "--seed", "7", "--top-p", "0.9", "--stop", "zzz", "--alone")
    said = answer(place, "chat", version.id, "-p", "Where is my lamp?", "--base", *how)
    assert [each["tokens"] for each in said["answers"]] == [6, 6]

    [found] = answer(place, "conversations", "--search", "LAMP")
    talk = msgspec.convert(found, Conversation)
    assert (talk.system, talk.answering.seed, talk.answering.top_p) == ("Be kind.", 7, 0.9)
    assert (talk.answering.stop, talk.answering.remember) == (("zzz",), False)
    assert talk.id == said["conversation"] and [turn.asked for turn in talk.turns] == ["Where is my lamp?"]
    assert [reply.text for reply in talk.turns[0].replies] == [each["text"] for each in said["answers"]]
    assert [reply.ended for reply in talk.turns[0].replies] == ["length", "length"]
    assert "> Where is my lamp?" in call(place, "conversations", "show", "last")[1]

    file = tmp_path / "talks.jsonl"
    assert answer(place, "conversations", "export", "--to", "jsonl", "-o", str(file))["conversations"] == 1
    assert msgspec.json.decode(file.read_bytes(), type=Conversation) == talk
    made = answer(place, "conversations", "rows", "--of", "whole", "--name", "talks")
    assert (made["name"], made["rows"], made["schema"]) == ("talks", 1, "chat")
    code, _, err = call(place, "conversations", "rows", "--of", "preference")
    assert code == 1 and "make no rows of this kind" in err

    answer(place, "conversations", "rename", talk.id, "Lamps")
    answer(place, "conversations", "delete", "Lamps")
    assert answer(place, "conversations") == []
    assert answer(place, "conversations", "restore", talk.id)["title"] == "Lamps"
    assert [each["title"] for each in answer(place, "conversations")] == ["Lamps"]
    code, _, err = call(place, "conversations", "show", "nothing")
    assert code == 1 and talk.id in err


def test_a_version_whose_base_changed_or_is_gone_neither_answers_nor_is_asked(
    home: Home,  # noqa: F811
    dataset,  # noqa: F811
    tmp_path: Path,
) -> None:
    base = tmp_path / "base"
    shutil.copytree(starter_path(), base)
    version = kept(home, dataset, "20260101-000000-shop-aa11", 0.05)
    version = msgspec.structs.replace(version, model_path=str(base), model_digests=digests(base, MODEL_FILES))
    write_struct(home.versions / version.id / "version.json", version)
    weights = base / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    commands = (["chat", version.id, "-p", "hi"], ["eval", version.id], ["versions", "use", version.id])
    for words in commands:
        code, _, err = call(home.path, *words)
        assert code == 1 and "base model of shop v1.0.0 has changed" in err, err
    shutil.rmtree(base)
    for words in commands:
        code, _, err = call(home.path, *words)
        assert code == 1 and "base model of shop v1.0.0 is gone" in err, err
    assert not [path for path in home.runs.iterdir() if "host" in path.name or "evaluate" in path.name]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--temperature", "4"], 2, "'--temperature'"),
        (["--max-tokens", "0"], 2, "'--max-tokens'"),
        (["--repetition-penalty", "9"], 2, "'--repetition-penalty'"),
        (["--top-p", "0"], 1, "top_p"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_setting_beyond_its_limits_is_refused_before_anything_is_loaded(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    found, _, err = call(tmp_path / "home", "chat", "-p", "hi", *words)
    assert found == code and said in err and "defect" not in err
