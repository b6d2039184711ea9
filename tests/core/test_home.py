"""The Home: one holder at a time, told apart from a dead one; unusable ones refused with what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.errors import HomeError, HomeHeld
from engine.core.home import Home, Lock

HOLD = """
import sys, time; from pathlib import Path
from engine.core.home import Home, Lock
lock = Lock(Home.open(Path(sys.argv[1])), "app"); print("held", flush=True); time.sleep(60)
"""


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(home.path)], stdout=subprocess.PIPE)
    assert holder.stdout and holder.stdout.readline().strip() == b"held"
    try:
        found = home.holder()
        assert found is not None and (found.pid, found.role) == (holder.pid, "app")
        with pytest.raises(HomeHeld, match=str(holder.pid)):
            Lock(home, "app")
    finally:
        holder.kill()
        holder.wait()
    assert home.holder() is None, "kill -9 frees the lock"
    Lock(home, "app").release()


def test_the_lock_can_be_had_again_after_release(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    Lock(home, "app").release()
    Lock(home, "keeper").release()
    assert home.holder() is None


def test_a_home_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home.json").write_text('{"format": 99, "made": 0}')
    with pytest.raises(HomeError, match="newer version"):
        Home.open(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="a file in the place of a folder is reported differently")
def test_a_home_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError) as caught:
        Home.open(tmp_path / "file" / "home")
    assert any("--home" in action.label for action in caught.value.card.actions)


def test_a_read_only_home_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, data: bytes) -> int:
        raise PermissionError(13, "Permission denied", str(self))

    Home.open(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", refused)  # root may write anywhere, so chmod would prove nothing
    with pytest.raises(HomeError, match="cannot be used"):
        Home.open(tmp_path)
