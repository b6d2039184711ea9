"""The quality of a dataset on its page, and fixes that make a new version by one press."""

from __future__ import annotations

from pathlib import Path

import flet as ft
import pytest

from engine.data.marks import MARKS
from engine.data.nouns import Finding, Mapping, Step
from engine.data.quality_report import REPORT, Histogram
from studio.pages.data_lengths import Bin
from studio.pages.data_quality import bins_of, grade, step_of, step_words
from tests.ui.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


def spoiled(folder: Path) -> Path:
    """Questions with answers, some of them damaged by a wrong encoding, and rows that say too little."""
    file = folder / "shop.csv"
    rows = [f"Do you have plum number {n} today?,Yes we have it and it is fresh and ripe {n}." for n in range(60)]
    rows += [f"Where is cafÃ© number {n} in town?,The cafÃ© is in street number {n} on the left." for n in range(6)]
    file.write_text("question,answer\n" + "\n".join(rows), encoding="utf-8")
    return file


@pytest.mark.parametrize("width", [1440, 375, 320])
async def test_a_dataset_shows_its_score_with_reasons_and_the_points_of_its_rows(show, engine, tmp_path, width):
    made = await engine.library.add(spoiled(tmp_path), "shop")
    client = await show(f"/data/{made.id}", width)
    await client.until(lambda: client.says("of 100 points"), seconds=10)
    assert client.says(f"{made.score:.0f}") and client.says("Points of each row")
    assert any("of 66 rows score 85 points" in str(each.label) for each in client.find(ft.Semantics, image=True))


async def test_a_dataset_without_a_report_says_why(show, engine: FakeEngine, tmp_path):
    made = await engine.library.add(spoiled(tmp_path), "shop")
    (engine.home.datasets / made.id / REPORT).unlink()
    client = await show(f"/data/{made.id}")
    await client.until(lambda: client.says("It was imported before there was a quality report."))


async def test_one_press_makes_a_fixed_version_and_keeps_the_one_before(show, engine: FakeEngine, tmp_path):
    made = await engine.library.add(spoiled(tmp_path), "shop")
    client = await show(f"/data/{made.id}")
    await client.press("Findings (2)")
    await client.press("Repair these characters")
    await client.until(lambda: client.page.route != f"/data/{made.id}", seconds=30)
    await client.until(lambda: client.says("How this version was made"))
    assert client.says("1. characters repaired")
    assert len(engine.library.datasets.value) == 2 and engine.library.datasets.value[0].parent == made.id
    await client.press("Open the version before")
    await client.until(lambda: client.page.route == f"/data/{made.id}")


@pytest.mark.parametrize(
    "repair,step",
    [
        ("drop:near_duplicates", Step(do="drop", finding="near_duplicates")),
        ("drop:language:en", Step(do="drop", language="en")),
        ("repair_encoding", Step(do="repair_encoding")),
        ("redact", Step(do="redact")),
        ("trim", Step(do="trim")),
        ("remap", None),
        ("raise_length", None),
        ("", None),
    ],
)
def test_only_findings_with_a_change_of_rows_are_fixed_by_a_press(repair, step):
    finding = Finding(level="warning", what="", why="", fix="", repair=repair)
    assert step_of(finding) == step


def test_every_repair_the_engine_names_is_known_here():
    named = {mark.repair for mark in MARKS.values()}
    assert all(step_of(Finding(level="info", what="", why="", fix="", repair=each)) for each in named)


@pytest.mark.parametrize(
    "step,words",
    [
        (Step(do="drop", finding="near_duplicates"), "rows left out: near duplicates"),
        (Step(do="drop", language="en"), "rows not in “en” left out"),
        (Step(do="drop", rows=(1, 4)), "2 rows left out"),
        (Step(do="hide", rows=(3,)), "1 row hidden"),
        (Step(do="show"), "hidden rows in sight again"),
        (Step(do="remap", mapping=Mapping(schema="text", text="x")), "columns mapped anew"),
        (Step(do="trim"), "trimmed"),
        (Step(do="redact"), "personal details hidden"),
        (Step(do="repair_encoding"), "characters repaired"),
    ],
    ids=["finding", "language", "rows", "hide", "show", "remap", "trim", "redact", "repair"],
)
def test_recorded_steps_are_said_in_words(step, words):
    assert step_words(step) == words


@pytest.mark.parametrize("score,word", [(100, "good"), (85, "good"), (84.9, "fair"), (60, "fair"), (59, "poor")])
def test_a_score_has_a_word(score, word):
    assert grade(score)[0] == word


def test_bars_of_a_histogram_touch_and_the_last_holds_its_edge():
    assert bins_of(Histogram(edges=(0, 50, 100), counts=(2, 3))) == [Bin(0, 49, 2), Bin(50, 100, 3)]
