"""Planning for a Home: the user's tariff, and how many rated answers are good."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.home import Home
from engine.core.settings import Settings
from engine.core.topics import Topic
from engine.library import Library
from engine.planning import Planning
from engine.runs.calibrating import Calibrations
from engine.spec.files import write_struct
from engine.spec.prepared import array_bytes, read_good_share, read_header
from tests.making import prepared_data


@pytest.mark.parametrize(
    ("settings", "price", "currency", "carbon", "own"),
    [
        (Settings(), 0.30, "USD", 445.0, False),
        (Settings(currency="EUR"), 0.30, "USD", 445.0, False),
        (Settings(currency="EUR", electricity_price=0.41), 0.41, "EUR", 445.0, True),
        (Settings(grid_carbon=50.0), 0.30, "USD", 50.0, False),
    ],
)
def test_electricity_costs_what_the_user_said_or_what_is_usual(
    tmp_path: Path, settings: Settings, price: float, currency: str, carbon: float, own: bool
) -> None:
    home, topic = Home.open(tmp_path), Topic(settings)
    tariff = Planning(home, topic, Library(home, topic), Calibrations(home.path, home.runs)).tariff
    assert (tariff.price, tariff.currency, tariff.carbon_grams, tariff.own) == (price, currency, carbon, own)


def test_the_share_of_good_answers_is_counted(tmp_path: Path) -> None:
    import msgspec

    folder = prepared_data(tmp_path)
    header = read_header(folder)
    assert read_good_share(folder, header) == 0.5
    rated = msgspec.structs.replace(header, layout="rated")
    write_struct(folder / "header.json", rated)
    (folder / "train.desired").write_bytes(array_bytes("B", [1] * 30 + [0] * 10))
    assert read_good_share(folder, rated) == 0.75
