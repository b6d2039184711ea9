"""Evaluation runs: what is asked, answers that are kept and taken again, and a stop that loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import torch

from engine.results.evaluation import Asked, evaluate
from engine.spec.answers import BASE
from engine.spec.exits import Exit
from engine.spec.files import LineReader, write_struct
from engine.spec.folder import RunFolder
from engine.spec.prepared import read_header, read_split
from engine.spec.records import Event
from engine.spec.runspec import AdapterRef, ModelRef
from engine.worker.evaluation import questions_of
from engine.worker.fault import Fault
from engine.worker.methods import load_for_training
from engine.worker.model import evaluating, load_base, trainable
from tests.making import LORA, METHODS, prepared_data, train_spec, without_dropout
from tests.results.answering import attempt, evaluation_folder, job_for, said, speaking_model
from tests.worker.loop import losses, run_through, trained


@pytest.fixture(scope="module")
def speaker(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speaking_model(model, tmp_path_factory.mktemp("speaker") / "model")


@pytest.fixture(scope="module")
def adapter(speaker: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> AdapterRef:
    folder, _, _ = trained(tmp_path_factory.mktemp("trained"), speaker, rows, LORA)
    return AdapterRef(name="v1", path=str(folder))


def known(folder: RunFolder) -> int:
    """How many answers were taken from before."""
    events = LineReader(folder.events_file, Event).read()
    return int(next(event.facts["known"] for event in events if event.kind == "finished"))


def test_losses_are_the_models_own_over_the_reference(speaker: Path, rows: Path, tmp_path: Path) -> None:
    folder = evaluation_folder(tmp_path / "run", job_for(speaker, rows, ""))
    assert attempt(folder) is Exit.COMPLETED
    model = load_base(ModelRef(path=str(speaker), name="tiny", fingerprint=""), "fp32").eval()
    split = read_split(rows, "validation")
    for (_, row), answer in said(folder).items():
        tokens, trained_ = split.row(row)
        ids = torch.tensor(list(tokens))[None]
        with torch.no_grad():
            losses = torch.nn.functional.cross_entropy(model(ids).logits[0, :-1], ids[0, 1:], reduction="none")
        flags = torch.tensor(list(trained_))[1:].bool()
        assert answer.nll == pytest.approx(losses[flags].sum().item(), rel=1e-4)
        assert answer.trained_tokens == int(flags.sum())


def test_answers_once_given_are_never_asked_again(
    speaker: Path, rows: Path, adapter: AdapterRef, tmp_path: Path
) -> None:
    first = evaluation_folder(tmp_path / "first", job_for(speaker, rows, tmp_path / "answers", adapter))
    assert attempt(first) is Exit.COMPLETED and known(first) == 0
    again = evaluation_folder(tmp_path / "again", job_for(speaker, rows, tmp_path / "answers", adapter))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.worker.evaluation.load_base", lambda *_: pytest.fail("the model was loaded"))
        assert attempt(again) is Exit.COMPLETED
    assert said(again) == said(first) and known(again) == 16
    other = msgspec.structs.replace(adapter, name="v2")  # another name, the same bytes
    renamed = evaluation_folder(tmp_path / "renamed", job_for(speaker, rows, tmp_path / "answers", other))
    assert attempt(renamed) is Exit.COMPLETED and known(renamed) == 16


@pytest.mark.parametrize("what", ["adapter", "tokens", "rows"])
def test_other_weights_settings_or_rows_are_asked_anew(
    speaker: Path, rows: Path, adapter: AdapterRef, tmp_path: Path, what: str
) -> None:
    job = job_for(speaker, rows, tmp_path / "answers", adapter)
    attempt(evaluation_folder(tmp_path / "first", job))
    if what == "adapter":
        copy = tmp_path / "copy"
        copy.mkdir()
        for file in Path(adapter.path).iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        config = json.loads((copy / "adapter_config.json").read_text())
        (copy / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 9}))
        job = msgspec.structs.replace(job, adapters=(AdapterRef(name="v1", path=str(copy)),))
    elif what == "tokens":
        job = msgspec.structs.replace(job, max_new_tokens=11)
    else:
        others = prepared_data(tmp_path / "rows", seed=9)
        job = msgspec.structs.replace(job, data=msgspec.structs.replace(job.data, prepared=str(others)))
    again = evaluation_folder(tmp_path / "again", job)
    assert attempt(again) is Exit.COMPLETED
    assert known(again) == {"adapter": 8, "tokens": 0, "rows": 0}[what]


def test_a_stopped_evaluation_keeps_its_answers_and_goes_on_with_the_rest(
    speaker: Path, rows: Path, adapter: AdapterRef, tmp_path: Path
) -> None:
    job = msgspec.structs.replace(job_for(speaker, rows, "", adapter), batch_size=1)  # the same sums in both runs
    folder = evaluation_folder(tmp_path / "cut", job)
    assert attempt(folder, 0, stop_at=10) is Exit.STOPPED
    part = said(folder)
    assert 0 < len(part) < 16
    assert attempt(folder, 1) is Exit.COMPLETED
    whole = evaluation_folder(tmp_path / "whole", job)
    assert attempt(whole) is Exit.COMPLETED
    assert {key: each.text for key, each in said(folder).items()} == {k: e.text for k, e in said(whole).items()}
    assert all(said(folder)[key] == answer for key, answer in part.items())


def test_a_part_of_the_answers_is_scored_as_far_as_both_have_them(
    speaker: Path, rows: Path, adapter: AdapterRef, tmp_path: Path
) -> None:
    folder = evaluation_folder(tmp_path / "cut", job_for(speaker, rows, "", adapter))
    attempt(folder, 0, stop_at=5)
    both = [row for model, row in said(folder) if model == "v1" and (BASE, row) in said(folder)]
    asked = Asked(results=folder.results_file, run="cut", version="v1", dataset=tmp_path)
    assert both and evaluate(asked).base.examples == len(both)


@pytest.mark.parametrize(("layout", "count"), [("rows", 8), ("pairs", 4), ("rated", 3)])
def test_bad_and_rejected_answers_are_no_references(tmp_path: Path, layout: str, count: int) -> None:
    folder = prepared_data(tmp_path / "rows")
    for split, size in (("train", 40), ("validation", 8)):
        (folder / f"{split}.desired").write_bytes(bytes([1, 0, 0, 1, 0, 0, 0, 1] * (size // 8)))
    write_struct(folder / "header.json", msgspec.structs.replace(read_header(folder), layout=layout))  # type: ignore[arg-type]
    found = questions_of(read_split(folder, "validation"), 100)
    assert len(found) == count
    assert layout != "pairs" or [question.row for question in found] == [0, 2, 4, 6]


def test_no_held_out_question_is_a_card(speaker: Path, tmp_path: Path) -> None:
    rows = prepared_data(tmp_path / "rows", held_out=0)
    folder = evaluation_folder(tmp_path / "run", job_for(speaker, rows, ""))
    with pytest.raises(Fault) as caught:
        attempt(folder)
    assert caught.value.exit_code is Exit.BAD_DATA and caught.value.card.actions


@pytest.mark.parametrize("method", ["lora", "dora", "ia3", "full"])
def test_training_goes_on_from_a_versions_weights(speaker: Path, rows: Path, tmp_path: Path, method: str) -> None:
    kind = without_dropout(METHODS[method])
    folder, after, texts = trained(tmp_path, speaker, rows, kind)
    parent = AdapterRef(name="v1", path=str(folder), whole=method == "full")
    reference = ModelRef(path=str(speaker), name="tiny", fingerprint="")
    begun = load_for_training(reference, kind, "fp32", 7, parent=parent)
    fresh = load_for_training(reference, kind, "fp32", 7)
    assert trainable(begun).keys() == trainable(fresh).keys()
    for ids, wanted in zip(texts, after, strict=True):
        with evaluating(begun), evaluating(fresh):
            assert torch.allclose(begun(input_ids=ids[None]).logits[0], wanted, atol=1e-5)
            assert not torch.allclose(fresh(input_ids=ids[None]).logits[0], wanted, atol=1e-2)


def test_a_run_that_goes_on_starts_where_the_first_ended(speaker: Path, rows: Path, tmp_path: Path) -> None:
    spec = train_spec(speaker, rows, without_dropout(LORA), learning_rate=2e-2, epochs=6)
    first = run_through(tmp_path / "run-1", spec, [])
    parent = AdapterRef(name="v1", path=str(first.adapter))
    job = msgspec.structs.replace(spec.job, parent=parent)  # type: ignore[type-var]
    second = run_through(tmp_path / "run-2", msgspec.structs.replace(spec, id="run-2", job=job), [(2, "kill")])
    assert losses(second)[1] < losses(first)[1] - 0.1


def test_a_parent_that_is_gone_is_a_card(speaker: Path, rows: Path, tmp_path: Path) -> None:
    reference = ModelRef(path=str(speaker), name="tiny", fingerprint="")
    with pytest.raises(Fault, match="could not be loaded"):
        load_for_training(reference, LORA, "fp32", 7, parent=AdapterRef(name="v1", path=str(tmp_path / "gone")))
