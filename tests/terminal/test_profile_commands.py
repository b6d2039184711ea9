"""`peft-studio profile`: one's own beside those of the product, checked when they come in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.core.errors import PlanError
from engine.plan.own_profiles import OwnProfiles, read_profile
from engine.plan.profiles import example_of, offer, profile, profiles, shipped
from tests.terminal.test_data_commands import printed


@pytest.fixture(autouse=True)
def _none_stay():
    yield
    offer(())


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A file that a user made of a shipped profile."""
    import msgspec

    made = msgspec.structs.replace(shipped()[0], id="house-style", title="Our house style")
    path = tmp_path / "mine.json"
    path.write_bytes(msgspec.json.encode(made))
    return path


def test_a_shipped_profile_becomes_ones_own_is_planned_with_and_goes(tmp_path: Path) -> None:
    _, shown = printed(tmp_path, "profile", "show", "chatbot")
    shown |= {"id": "our-voice", "title": "Our voice", "dials": shown["dials"] | {"rank": 5, "method": "dora"}}
    (tmp_path / "voice.json").write_text(json.dumps(shown))
    code, added = printed(tmp_path, "profile", "add", str(tmp_path / "voice.json"))
    assert code == 0 and added["id"] == "our-voice"
    _, listed = printed(tmp_path, "profile", "list")
    assert [each["id"] for each in listed if each["own"]] == ["our-voice"] and len(listed) == len(shipped()) + 1
    code, made = printed(tmp_path, "plan", "--model", "starter", "--profile", "our-voice")
    assert code == 0 and {each["name"]: each["value"] for each in made["values"]}["rank"] == 5
    assert printed(tmp_path, "profile", "remove", "our-voice") == (0, {"removed": "our-voice"})
    code, gone = printed(tmp_path, "plan", "--model", "starter", "--profile", "our-voice")
    assert code == 1 and "our-voice" in gone["error"]["what"]


def test_a_window_that_is_open_sees_what_is_added_and_removed(tmp_path: Path, own: Path) -> None:
    window, terminal = OwnProfiles(tmp_path / "profiles"), OwnProfiles(tmp_path / "profiles")
    window.refresh()
    terminal.add(own)
    window.refresh()
    assert profile("house-style").title == "Our house style" and profiles()[: len(shipped())] == shipped()
    terminal.remove("house-style")
    window.refresh()
    assert profiles() == shipped() and example_of("house-style") == shipped()[0].example_input


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "chatbot"}, "profile of the product"),
        ({"id": "../out"}, "small letters"),
        ({"dials": {"rank": 10**6}}, "rank"),
        ({"dials": {"method": "magic"}}, "magic"),
        ({"colour": "blue"}, "colour"),
        ({"title": None}, "title"),
    ],
)
def test_what_is_no_profile_is_refused_with_the_place(own: Path, change: dict[str, object], words: str) -> None:
    found = json.loads(own.read_text())
    dials = change.get("dials")
    found |= {"dials": found["dials"] | dials} if isinstance(dials, dict) else change
    own.write_text(json.dumps(found))
    with pytest.raises(PlanError) as refused:
        read_profile(own)
    assert words in f"{refused.value.card.what} {refused.value.card.why}"


def test_a_damaged_file_is_left_out_and_named(tmp_path: Path, own: Path) -> None:
    folder = OwnProfiles(tmp_path / "profiles")
    folder.add(own)
    (tmp_path / "profiles" / "torn.json").write_text("{")
    folder.refresh()
    assert [each.id for each in profiles()[len(shipped()) :]] == ["house-style"]
    assert len(folder.problems()) == 1 and folder.problems()[0].startswith("torn.json")
    with pytest.raises(PlanError, match="of your own"):
        folder.remove("../../mine")
