"""Errors of the file system as people read them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from engine.core.errors import from_os


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "gone.zip").read_bytes()
    card = from_os(caught.value, "reading the capsule").card
    assert card.what == "A file or folder is not there." and str(tmp_path / "gone.zip") in card.why


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (errno.ENOSPC, "The disk is full."),
        (errno.EACCES, "A file or folder cannot be written."),
        (errno.EROFS, "A file or folder cannot be written."),
        (errno.EIO, "A file could not be read or written."),
    ],
)
def test_each_cause_has_its_card_and_remedy(number: int, what: str) -> None:
    card = from_os(OSError(number, "said the system"), "saving").card
    assert card.what == what and "while saving" in card.why and card.actions
