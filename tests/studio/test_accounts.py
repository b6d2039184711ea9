"""Accounts, waits and visits: what is kept of a password, how guessing is slowed down, and when a visit ends."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import StudioError
from studio.accounts import FILE, LONGEST, Accounts
from studio.attempts import FORGOTTEN, KEPT, Attempts, address_key
from studio.visits import Terms, Visits

WORDS = "four plain words here"


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that cost a millisecond."""
    monkeypatch.setattr("studio.accounts.N", 2**4)


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_password_is_kept_as_scrypt_with_a_salt_of_its_own_and_never_itself(tmp_path: Path):
    accounts = Accounts(tmp_path)
    accounts.set("ada", WORDS)
    accounts.set("bob", WORDS)
    text = (tmp_path / FILE).read_text()
    assert WORDS not in text
    ada, bob = accounts.all()
    assert ada.password.salt != bob.password.salt and ada.password.key != bob.password.key
    kept = ada.password
    again = hashlib.scrypt(WORDS.encode(), salt=kept.salt, n=kept.n, r=kept.r, p=kept.p, maxmem=2**27, dklen=32)
    assert again == kept.key and kept.n >= 2**15


def test_only_the_right_password_of_the_right_name_opens(tmp_path: Path, cheap: None):
    accounts = Accounts(tmp_path)
    accounts.set("Ada", WORDS)
    assert accounts.right("ada", WORDS) == accounts.find("Ada")
    assert accounts.right("Ada", WORDS + " ") is None
    assert accounts.right("bob", WORDS) is None
    assert accounts.right("", "") is None
    assert accounts.right("Ada", "x" * 10 * LONGEST) is None


def test_the_same_signs_written_otherwise_are_the_same_password(tmp_path: Path, cheap: None):
    accounts = Accounts(tmp_path)
    accounts.set("ada", "zw\u00f6lf Boxk\u00e4mpfer")
    assert accounts.right("ada", "zwo\u0308lf Boxka\u0308mpfer")


@pytest.mark.parametrize("password", ["", "elevensigns", "x" * (LONGEST + 1)])
def test_a_password_of_the_wrong_length_is_refused_and_changes_nothing(tmp_path: Path, password: str):
    accounts = Accounts(tmp_path)
    with pytest.raises(StudioError, match="will not do"):
        accounts.set("ada", password)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "a" * 65, "<b>", "x\n", "-x"])
def test_what_cannot_be_a_name_is_refused(tmp_path: Path, name: str):
    with pytest.raises(StudioError, match="cannot be a name"):
        Accounts(tmp_path).set(name, WORDS)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_the_owner_can_read_the_file_whatever_it_was_before(tmp_path: Path, cheap: None):
    (tmp_path / FILE).write_text('{"accounts":[]}')
    (tmp_path / FILE).chmod(0o666)
    before = os.umask(0)
    try:
        Accounts(tmp_path).set("ada", WORDS)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_change_of_another_process_is_seen_and_gives_another_stamp(tmp_path: Path, cheap: None):
    here, there = Accounts(tmp_path), Accounts(tmp_path)
    first = here.set("ada", WORDS)
    assert there.find("ada") == first
    here.set("ada", WORDS + "!")
    found = there.find("ada")
    assert found is not None and found.stamp != first.stamp
    here.remove("ADA")
    assert there.find("ada") is None


def test_a_damaged_file_is_said_and_never_taken_for_no_accounts(tmp_path: Path):
    (tmp_path / FILE).write_text("{")
    with pytest.raises(StudioError, match="damaged"):
        Accounts(tmp_path).all()
    with pytest.raises(StudioError, match="damaged"):
        Accounts(tmp_path).set("ada", WORDS)


def test_who_is_not_there_cannot_be_removed(tmp_path: Path, cheap: None):
    accounts = Accounts(tmp_path)
    accounts.set("ada", WORDS)
    with pytest.raises(StudioError) as refused:
        accounts.remove("bob")
    assert "ada" in refused.value.card.why


@given(st.integers(1, 40), st.integers(0, 5))
def test_each_failure_doubles_the_wait_up_to_an_hour_a_quarter(failures: int, free: int):
    clock = Clock()
    attempts = Attempts(free, clock)
    waits = []
    for _ in range(failures):
        attempts.failed("ada")
        waits.append(attempts.wait("ada"))
        clock.now += waits[-1]
        assert attempts.wait("ada") == 0
    expected = [0.0 if n < free else min(900.0, 2.0 ** (n - free)) for n in range(1, failures + 1)]
    assert waits == pytest.approx(expected)
    assert attempts.wait("bob") == 0


def test_a_success_and_an_hour_forgive_and_a_flood_of_names_fills_no_memory():
    clock = Clock()
    attempts = Attempts(0, clock)
    attempts.failed("ada")
    attempts.forget("ada")
    assert attempts.wait("ada") == 0
    attempts.failed("bob")
    clock.now += FORGOTTEN + 1
    attempts.failed("bob")
    assert attempts.wait("bob") == 2.0  # as after the first
    for number in range(2 * KEPT):
        attempts.failed(str(number))
    assert len(attempts._failures) == KEPT


@pytest.mark.parametrize(
    "one,other,same",
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_addresses_that_one_customer_gets_count_as_one(one: str, other: str, same: bool):
    assert (address_key(one) == address_key(other)) is same


def test_a_visit_ends_by_rest_by_age_by_another_password_and_by_being_one_too_many():
    clock, valid = Clock(), {"ada"}
    visits = Visits(lambda: Terms(longest=100, idle=30, most=2), lambda each: each.account in valid, clock)
    value = visits.open("ada")
    visit = visits.find(value)
    assert visit is not None and visits.find("guess") is None
    for _ in range(3):
        clock.now += 29
        assert visits.lasts(visit)
        visits.use(visit)
    clock.now += 20
    assert visits.find(value) is None and visit.ended.is_set()  # used all the time, and too old
    rested = visits.open("ada")
    clock.now += 31
    assert visits.find(rested) is None
    one = visits.open("ada")
    clock.now += 1
    two = visits.open("ada")
    clock.now += 1
    first = visits.find(one)
    assert first is not None
    visits.use(first)
    visits.open("ada")
    assert visits.find(one) is not None and visits.find(two) is None and len(visits) == 2
    valid.clear()
    assert visits.find(one) is None


def test_the_file_is_plain_json_with_the_cost_beside_each_password(tmp_path: Path, cheap: None):
    Accounts(tmp_path).set("ada", WORDS)
    (kept,) = msgspec.json.decode((tmp_path / FILE).read_bytes())["accounts"]
    assert set(kept["password"]) == {"n", "r", "p", "salt", "key"}
