"""Labels in the terminal: both models' macro F1, and what was answered for what."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.results.metrics.labels import Confusion, confusion, labels_of
from studio.terminal import labels as shown
from studio.terminal.labels import SHOWN, print_labels


def made(said: Sequence[str], wanted: Sequence[str]) -> Confusion:
    return confusion(said, wanted, labels_of(wanted))


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown.console, "_width", 100)


def words_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_both_models_are_counted_and_a_label_may_hold_anything(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["[red] card"] * 3 + ["fine"]
    print_labels(made(["fine"] * 4, wanted), made([*wanted[:2], "who knows", "fine"], wanted))
    lines = words_of(capsys)
    assert "label accuracy 25.0 75.0" in lines and "macro F1 20.0 90.0" in lines
    tuned, base = lines.index("tuned: expected 1 2 else"), lines.index("base: expected 1 2 else")
    assert lines[tuned + 1 : tuned + 3] == ["1 [red] card 2 · 1", "2 fine · 1 ·"]
    assert lines[base + 1 : base + 3] == ["1 [red] card · 3 ·", "2 fine · 1 ·"]
    assert any("rows: expected; columns: answered" in line for line in lines)
    assert "Most often mistaken: [red] card for fine, 3 times." in lines


def test_of_many_labels_the_most_frequent_are_shown_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = [f"intent {i}" for i in range(SHOWN + 3) for _ in range(2)]
    found = made(wanted, wanted)
    print_labels(found, found)
    lines = words_of(capsys)
    assert any(f"The {SHOWN} most frequent of {SHOWN + 3} labels are shown." in line for line in lines)
    assert any(line.startswith(f"{SHOWN} intent") for line in lines)
    assert not any(line.startswith(f"{SHOWN + 1} intent") for line in lines)
