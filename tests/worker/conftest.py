"""Prepared rows of the two layouts that preference objectives take."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from engine.spec.files import read_struct, write_struct
from engine.spec.prepared import PreparedHeader, array_bytes
from tests.making import prepared_data


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """20 pairs and 4 held-out ones, of the rows that other tests take singly."""
    return relaid(prepared_data(tmp_path / "pairs"), "pairs")


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """40 rated rows and 8 held-out ones; two in three are good."""
    folder = relaid(prepared_data(tmp_path / "rated"), "rated")
    for split, count in (("train", 40), ("validation", 8)):
        (folder / f"{split}.desired").write_bytes(array_bytes("B", [int(i % 3 > 0) for i in range(count)]))
    return folder


def relaid(folder: Path, layout: str) -> Path:
    header = read_struct(folder / "header.json", PreparedHeader)
    write_struct(folder / "header.json", msgspec.structs.replace(header, layout=layout))
    return folder
