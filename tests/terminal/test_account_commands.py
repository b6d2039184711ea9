"""`peft-studio account` and `serve`: accounts made and removed, and no other address without one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.errors import StudioError
from studio.accounts import FILE, Accounts
from studio.terminal import account_commands
from tests.terminal.test_data_commands import printed

WORDS = "four plain words here"


def test_accounts_are_made_listed_changed_and_removed_and_passwords_never_printed(tmp_path: Path) -> None:
    assert printed(tmp_path, "account", "list") == (0, [])
    code, made = printed(tmp_path, "account", "set", "ada", stdin=WORDS + "\n")
    assert code == 0 and made["account"]["name"] == "ada" and made["changed"] is False
    first = (tmp_path / "home" / FILE).read_text()
    code, again = printed(tmp_path, "account", "set", "ADA", stdin=WORDS + "!\r\n")
    assert code == 0 and again["changed"] is True
    assert WORDS not in json.dumps([made, again]) + first and (tmp_path / "home" / FILE).read_text() != first
    assert Accounts(tmp_path / "home").right("ada", WORDS + "!")
    _, listed = printed(tmp_path, "account", "list")
    assert [each["name"] for each in listed] == ["ADA"] and set(listed[0]) == {"name", "changed"}
    assert printed(tmp_path, "account", "remove", "ada") == (0, {"removed": "ADA"})
    code, refused = printed(tmp_path, "account", "remove", "ada")
    assert code == 1 and "no account" in refused["error"]["what"]


def test_a_short_password_is_refused_with_the_rule(tmp_path: Path) -> None:
    code, refused = printed(tmp_path, "account", "set", "ada", stdin="abracadabra\n")
    assert code == 1 and "12 to" in refused["error"]["why"] and "abracadabra" not in json.dumps(refused)


def test_the_password_is_asked_twice_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([WORDS, WORDS, WORDS, "other words"])
    monkeypatch.setattr(account_commands, "getpass", lambda prompt: next(answers))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert account_commands._password() == WORDS
    with pytest.raises(StudioError, match="differ"):
        account_commands._password()


def test_another_address_is_refused_in_plain_words_until_there_is_an_account(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "studio.cli", "serve", "--host", "0.0.0.0", "--home", str(tmp_path / "home")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "no account yet" in done.stderr and "peft-studio account set NAME" in done.stderr
    assert "Traceback" not in done.stderr
