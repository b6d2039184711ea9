"""Versions side by side: who leads, what of that is more than chance, and the examples on which they part."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from engine.core.errors import DataError
from engine.results.clusters import clusters
from engine.results.comparing import compare_named, named
from engine.results.comparison import Compared, Comparison, compare, errors_by_topic
from engine.results.evaluation import Evaluation
from engine.results.shared_rows import common
from engine.results.statistics import holm
from engine.results.subjects import Subject, settings_of
from engine.results.versions import Versions
from engine.spec.answers import BASE, Answer
from engine.spec.suite import LABEL_SUITE, Metric
from tests.results.made import asked_of, evaluation_of, finished_run, spec_of, version_in
from tests.results.test_evaluation import answer

SHARES = {"a": 0.2, "b": 0.9, "c": 0.85}


def subject(name: str, **settings: int) -> Subject:
    return Subject(
        id=name, title=name, version=name, run=name, model="m", dataset="d", method="lora", settings={**settings}
    )


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Compared, ...]:
    place = tmp_path_factory.mktemp("answers")
    return tuple(
        Compared(subject=subject(name, epochs=i, rank=8), evaluation=evaluation_of(place, name, share, seed=i))
        for i, (name, share) in enumerate(SHARES.items())
    )


@pytest.fixture(scope="module")
def three(compared: tuple[Compared, ...]) -> Comparison:
    return compare(compared)


def test_the_best_is_marked_and_its_lead_is_tested(three: Comparison) -> None:
    match = next(row for row in three.measures if row.name == "exact_match")
    assert [round(mean.value, 2) for mean in match.means if mean] == [0.2, 0.9, 0.85]
    assert match.best == (1,) and match.base is not None and match.base.value == 0
    loss = next(row for row in three.measures if row.name == "loss")
    assert loss.best == (1,)  # the lowest
    winners = {(p.first, p.second): p.winner for p in three.pairings if p.name == three.main}
    assert winners == {(0, 1): 1, (0, 2): 2, (1, 2): None}
    assert three.verdict == (
        "b is better in token F1 than a, on 60 held-out examples of “support”. No difference is shown against c."
    )


def test_macro_f1_is_compared_on_the_rows_that_all_were_asked(tmp_path: Path) -> None:
    wanted = ["spam", "fine"] * 10
    base = [answer(i, BASE, "fine", label) for i, label in enumerate(wanted)]
    right = [answer(i, "tuned", label, label) for i, label in enumerate(wanted)]
    wrong = [answer(i, "tuned", "spam", label) for i, label in enumerate(wanted)]
    found = []
    for name, said in (("a", right), ("b", wrong[:2]), ("c", wrong)):
        (tmp_path / name).mkdir()
        asked = asked_of(tmp_path / name, [*base, *said], LABEL_SUITE)
        found.append(Compared(subject=subject(name), evaluation=asked))
    (of_all,) = [row for row in compare([found[0], found[2]]).measures if row.name == "macro_f1"]
    assert [mean.value for mean in of_all.means if mean] == [1.0, pytest.approx(1 / 3)] and of_all.best == (0,)
    (of_two,) = [row for row in compare(found[:2]).measures if row.name == "macro_f1"]
    assert [mean.value for mean in of_two.means if mean] == [1.0, pytest.approx(1 / 3)]
    assert of_two.base and of_two.base.value == pytest.approx(1 / 3) and not of_two.base.has_interval


def test_each_two_are_told_apart_by_every_measure_that_decides_the_main_one_first(three: Comparison) -> None:
    assert [each.name for each in three.pairings] == ["token_f1"] * 3 + ["exact_match"] * 3 + ["loss"] * 3
    assert [(each.first, each.second) for each in three.pairings[:3]] == [(0, 1), (0, 2), (1, 2)]
    assert [each.paired.corrected for each in three.pairings] == holm([each.paired.p_value for each in three.pairings])


def test_measures_that_only_describe_are_not_tested_between_two(tmp_path: Path) -> None:
    wanted = ["spam", "fine"] * 20
    made = [
        Answer(
            row=i, model=model, prompt="?", reference=label, text=text, tokens=1, complete=True, nll=1.0,
            trained_tokens=1,
        )
        for i, label in enumerate(wanted)
        for model, text in ((BASE, "fine"), ("tuned", f"It is {label}."))
    ]  # fmt: skip
    labelled = asked_of(tmp_path, made, LABEL_SUITE)
    found = compare([Compared(subject=subject(name), evaluation=labelled) for name in ("a", "b")])
    assert [each.name for each in found.pairings] == ["label", "loss"]


def test_settings_that_are_the_same_are_not_listed(three: Comparison) -> None:
    assert [(row.name, row.values) for row in three.settings] == [("epochs", (0, 1, 2))]


def test_every_example_is_won_by_someone_and_the_most_different_come_first(three: Comparison) -> None:
    assert three.rows == 60 == len(three.examples)
    assert [each.apart for each in three.examples] == sorted((e.apart for e in three.examples), reverse=True)
    for each in three.examples:
        best = max(each.marks)
        assert each.winners == tuple(i for i, mark in enumerate(each.marks) if mark == best)
    alone = [tuple(each.winners) for each in three.examples]
    assert three.wins == tuple(alone.count((i,)) for i in range(3))
    assert three.ties == sum(each.apart == 0 for each in three.examples)


def test_of_two_one_wins_what_the_other_loses(compared: tuple[Compared, ...]) -> None:
    found = compare(compared[:2])
    assert found.wins == found.losses[::-1]
    assert sum(found.wins) + found.ties == found.rows
    assert "p < 0.001" in found.verdict and "b is better" in found.verdict


def test_the_order_does_not_change_who_is_better(compared: tuple[Compared, ...]) -> None:
    forward, backward = compare(compared[:2]), compare(compared[1::-1])
    assert forward.verdict == backward.verdict


def test_more_pairs_make_each_of_them_harder_to_show(compared: tuple[Compared, ...], three: Comparison) -> None:
    alone = next(p for p in compare(compared[:2]).pairings if p.name == three.main)
    among = next(p for p in three.pairings if (p.first, p.second, p.name) == (0, 1, three.main))
    assert alone.paired.difference == pytest.approx(among.paired.difference)
    assert among.paired.corrected >= alone.paired.corrected


def test_without_rows_in_common_nothing_is_called_better(compared: tuple[Compared, ...]) -> None:
    first, second, _ = compared
    assert second.evaluation is not None
    other = msgspec.structs.replace(second.evaluation, dataset_hash="other")
    found = compare([first, msgspec.structs.replace(second, evaluation=other)])
    assert "cannot be said" in found.verdict and found.measures == () and found.settings


def test_only_rows_that_all_were_asked_are_compared(compared: tuple[Compared, ...]) -> None:
    first, second, _ = compared
    assert second.evaluation is not None
    fewer = msgspec.structs.replace(second.evaluation, examples=second.evaluation.examples[:40])
    found = compare([first, msgspec.structs.replace(second, evaluation=fewer)])
    assert found.rows == 40 and "Only the 40 rows" in found.note and "on 40 held-out examples" in found.verdict


def first_rows(evaluation: Evaluation | None, count: int) -> Evaluation:
    """The evaluation as if it had asked these rows alone; its own figures stay those of all."""
    assert evaluation is not None
    return msgspec.structs.replace(evaluation, examples=evaluation.examples[:count])


def test_every_figure_and_the_leader_are_of_the_rows_that_all_were_asked(
    compared: tuple[Compared, ...], tmp_path: Path
) -> None:
    first, second, _ = compared
    ahead = evaluation_of(tmp_path, "a", 0.5, rows=12)
    found = compare([msgspec.structs.replace(first, evaluation=ahead), second])
    for row in found.measures:
        for place, evaluation in enumerate((ahead, second.evaluation)):
            assert evaluation is not None
            shared = {each.row for each in ahead.examples}
            marks = [each.marks[row.name] for each in evaluation.examples if each.row in shared]
            mean = row.means[place]
            assert mean is not None and mean.value == pytest.approx(sum(after for _, after in marks) / 12)
            assert mean.low - 1e-9 <= mean.value <= mean.high + 1e-9
            assert row.base is not None and row.base.value == pytest.approx(sum(before for before, _ in marks) / 12)
    match = next(row for row in found.measures if row.name == "exact_match")
    best = max(mean.value for mean in match.means if mean)
    assert match.best == tuple(i for i, mean in enumerate(match.means) if mean and mean.value == best)


def without(evaluation: Evaluation | None, name: Metric) -> Evaluation:
    """An evaluation that this was wanted of as the main measure, and could not be measured in."""
    assert evaluation is not None
    marks = [
        msgspec.structs.replace(each, marks={key: mark for key, mark in each.marks.items() if key != name})
        for each in evaluation.examples
    ]
    results = tuple(each for each in evaluation.results if each.name != name)
    suite = msgspec.structs.replace(evaluation.suite, main=name)
    return msgspec.structs.replace(evaluation, examples=tuple(marks), results=results, suite=suite)


def test_what_lacks_its_main_measure_is_compared_by_exact_match(compared: tuple[Compared, ...]) -> None:
    old = [msgspec.structs.replace(each, evaluation=without(each.evaluation, "label")) for each in compared[:2]]
    found = compare(old)
    assert found.main == "exact_match" and "b is better in exact match than a: +70 points" in found.verdict
    assert old[0].evaluation and old[0].evaluation.main == "exact_match"
    topics = errors_by_topic(old[0].evaluation)
    assert sum(each.examples for each in topics) == 60


def test_a_comparison_says_which_rows_of_which_data_it_is_of(compared: tuple[Compared, ...], three: Comparison) -> None:
    assert (three.dataset, three.side) == ("support", "held-out")
    change = msgspec.structs.replace
    everything = [
        change(each, evaluation=change(each.evaluation, dataset="mc", side="all", trained=48))
        for each in compared[:2]
        if each.evaluation is not None
    ]
    found = compare(everything)
    assert (found.dataset, found.side) == ("mc", "all") and "on 60 examples of “mc”." in found.verdict
    assert "Some of these rows were trained on" in found.note and not three.note


@pytest.mark.parametrize("count", [0, 1, 6])
def test_two_to_five_are_compared(compared: tuple[Compared, ...], count: int) -> None:
    with pytest.raises(DataError, match="Two to five"):
        compare([compared[0]] * count)


def test_the_newest_evaluation_on_common_rows_is_taken(tmp_path: Path) -> None:
    on_own = msgspec.structs.replace(evaluation_of(tmp_path, "a", 0.5, rows=6), dataset_hash="own")
    shared = msgspec.structs.replace(on_own, dataset_hash="shared")
    newer = msgspec.structs.replace(shared, run="newer")
    assert common([[on_own, newer, shared], [shared]]) == [newer, shared]
    assert common([[on_own], [shared]]) == [None, None]
    assert common([[], [shared]]) == [None, None]


def test_a_quick_look_does_not_stand_in_for_the_whole_and_held_out_rows_come_first(tmp_path: Path) -> None:
    whole = evaluation_of(tmp_path, "a", 0.5, rows=40)
    quick = msgspec.structs.replace(first_rows(whole, 10), run="quick")
    everything = msgspec.structs.replace(evaluation_of(tmp_path, "c", 0.5, rows=60), side="all")
    assert common([[quick, whole], [whole]]) == [whole, whole]
    assert common([[everything, quick, whole], [whole, everything]]) == [whole, whole]
    assert common([[everything, quick], [everything]]) == [everything, everything]


async def test_versions_and_runs_are_found_by_their_words(tmp_path: Path) -> None:
    versions, runs = Versions(tmp_path / "versions"), tmp_path / "runs"
    first, second = (version_in(versions, runs, f"run-{i}") for i in (1, 2))
    for version, share in ((first, 0.2), (second, 0.9)):
        versions.keep_evaluation(version, evaluation_of(tmp_path, version.id, share))
    found = await compare_named(versions, runs, ("v1.0.0", "last"))
    assert [each.title for each in found.subjects] == ["support v1.0.0", "support v1.1.0"]
    assert found.rows == 60
    finished_run(runs, spec_of("run-3", name="failed"))
    with_run = named(versions, runs, ("v1.0.0", "failed"))
    assert [each.subject.version for each in with_run] == [first.id, ""]
    assert compare(with_run).rows == 0
    for words, said in ((("v1.0.0", first.id), "named twice"), (("v1.0.0", "nobody"), "There is no version")):
        with pytest.raises(DataError, match=said):
            named(versions, runs, words)


@pytest.mark.parametrize("how", ["gone", "unreadable"])
def test_a_version_whose_run_cannot_be_read_is_compared_by_what_it_knows(tmp_path: Path, how: str) -> None:
    versions, runs = Versions(tmp_path / "versions"), tmp_path / "runs"
    pair = [version_in(versions, runs, f"run-{i}") for i in (1, 2)]
    if how == "gone":
        shutil.rmtree(runs / "run-1")
    else:
        (runs / "run-1" / "spec.json").write_text('{"format": 2}')
    found = compare(named(versions, runs, [each.id for each in pair]))
    assert [each.method for each in found.subjects] == ["lora", "lora"]
    assert found.subjects[0].loss == 1.0


def test_a_recipe_in_plain_values(tmp_path: Path) -> None:
    settings = settings_of(spec_of("run-1").job)  # type: ignore[arg-type]
    assert (settings["rank"], settings["targets"], settings["objective"]) == (4, "all-linear", "sft")


def test_texts_about_the_same_come_together() -> None:
    texts = [f"my lamp is broken number {i}" for i in range(30)] + [
        f"change the address please {i}" for i in range(90, 110)
    ]
    found = clusters(texts)
    assert sorted(i for each in found for i in each.examples) == list(range(50))
    for each in found:
        assert all(i < 30 for i in each.examples) or all(i >= 30 for i in each.examples)
    assert clusters(texts) == found
    assert clusters([]) == () and len(clusters(["one", "two"])) == 1


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = pytest.mark.anyio
