"""What several test folders share: one tiny model and one set of prepared rows a session, and a Home of one's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # before torch: spinning threads slow each other down
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from tests.making import prepared_data, tiny_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers."""
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty prepared training rows and eight held out."""
    return prepared_data(tmp_path_factory.mktemp("rows"))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's Home."""
    monkeypatch.setenv("PEFT_STUDIO_HOME", str(tmp_path / "home"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright keeps an event loop running that other tests' loops would trip over.

    Where tests run in several processes, two of them have a browser, and about as much to do: one is at the furnished
    Home and at an empty one, one at others.
    """
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    for item in items:
        if item.get_closest_marker("browser"):
            first = {"furnished", "empty"}.intersection(getattr(item, "fixturenames", ()))
            item.add_marker(pytest.mark.xdist_group("browser, furnished or empty" if first else "browser"))
