"""Logs: one JSON line a record, secrets taken out, old files forgotten."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from engine.core import logs
from engine.core.settings import Settings, load, save
from engine.spec.files import LineReader


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3tvalue",
        "api_key=s3cr3tvalue",
        '{"token": "s3cr3tvalue"}',
        "https://x.example/?token=s3cr3tvalue&a=1",
        "using hf_s3cr3tvalue now",
        "password: s3cr3tvalue",
    ],
)
def test_credentials_do_not_reach_the_log(text: str) -> None:
    assert "s3cr3tvalue" not in logs.redact(text)


@pytest.mark.parametrize("text", ["epoch 3 of 10", "tokenizer.json was read", "secretary of state"])
def test_ordinary_words_stay(text: str) -> None:
    assert logs.redact(text) == text


def test_a_record_is_one_json_line_with_its_stack(tmp_path: Path) -> None:
    handler = logs.to_folder(tmp_path, "app")
    try:
        try:
            raise ValueError("token=abcdefgh")
        except ValueError:
            logging.getLogger("here").exception("it failed")
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    (line,) = LineReader(tmp_path / "app.jsonl", logs.LogLine).read()
    assert (line.level, line.message) == ("error", "it failed")
    assert "ValueError" in line.stack and "abcdefgh" not in line.stack


def test_logs_older_than_ninety_days_go(tmp_path: Path) -> None:
    old = tmp_path / "app.jsonl.3"
    old.write_text("")
    long_ago = time.time() - 91 * 86_400
    os.utime(old, (long_ago, long_ago))
    logging.getLogger().removeHandler(logs.to_folder(tmp_path, "app"))
    assert not old.exists()


def test_settings_survive_damage_and_refuse_impossible_values(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    save(path, Settings(concurrent_runs=3))
    assert load(path).concurrent_runs == 3
    with pytest.raises(Exception, match="concurrent_runs"):
        save(path, Settings(concurrent_runs=0))
    assert load(path).concurrent_runs == 3
    path.write_text("{")
    assert load(path) == Settings()
