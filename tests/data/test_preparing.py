"""Prepared arrays hold what the preview shows; what is cut or dropped is counted; content is prepared once."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import anyio
import pytest

from engine.core.errors import DataError, ModelError
from engine.data import service
from engine.data.library import import_file, read_rows
from engine.data.nouns import Dataset
from engine.data.prepare import DroppedRow, prepare
from engine.data.preview import preview
from engine.spec.files import LineReader
from engine.spec.prepared import read_header, read_split
from tests.data.fixtures import STARTER, TEMPLATES, as_jsonl, make_model

ROWS = [{"question": f"Question {n}?", "answer": "An answer. " * (1 + n % 3) + str(n)} for n in range(30)]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    (tmp_path / "rows.jsonl").write_bytes(as_jsonl(ROWS))
    return import_file(tmp_path / "ds", tmp_path / "rows.jsonl")


def test_the_preview_shows_the_bytes_the_worker_reads(tmp_path: Path, dataset: Dataset) -> None:
    header = prepare(tmp_path / "ds" / dataset.id, STARTER, 512, tmp_path / "prepared")
    folder = tmp_path / "prepared" / header.hash
    rows = list(read_rows(tmp_path / "ds", dataset.id))
    for split in ("train", "validation"):
        arrays = read_split(folder, split)
        shown = preview(folder, STARTER, split, 0, 1000)
        assert len(shown) == len(arrays) == header.splits[split].rows
        for row in shown:
            source = rows[row.source_row]
            assert source.split == split
            ids, trained = arrays.row(row.index)
            assert (row.tokens, row.trained_tokens) == (len(ids), sum(trained))
            asked, answer = source.messages[0].content, source.messages[1].content
            assert [(each.trained, each.text) for each in row.segments] == [
                (False, f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n"),
                (True, f"{answer}<|im_end|>"),
                (False, "\n"),
            ]
        assert header.splits[split].trained_tokens == sum(arrays.trained)
        assert header.splits[split].longest == max(arrays.lengths())
    assert header.end_tokens == (2, 0) and header.pad_token == 0 and header.vocabulary == 2048
    assert read_header(folder) == header


def test_the_same_content_is_prepared_once_and_anything_else_again(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, prepared = tmp_path / "ds" / dataset.id, tmp_path / "prepared"
    first = prepare(folder, STARTER, 512, prepared)
    monkeypatch.setattr("engine.data.prepare._write", None)  # would fail if anything were written again
    assert prepare(folder, STARTER, 512, prepared) == first
    monkeypatch.undo()
    shorter = prepare(folder, STARTER, 100, prepared)
    other = prepare(folder, make_model(tmp_path / "m", TEMPLATES["thinking"]), 512, prepared)
    reseeded = import_file(tmp_path / "ds", tmp_path / "rows.jsonl", seed=5)
    assert (
        len({first.hash, shorter.hash, other.hash, prepare(tmp_path / "ds" / reseeded.id, STARTER, 512, prepared).hash})
        == 4
    )
    shutil.rmtree(prepared / first.hash)
    assert prepare(folder, STARTER, 512, prepared) == first
    assert not list(prepared.glob(".*"))


def test_what_is_cut_and_dropped_is_counted_with_its_reason(tmp_path: Path) -> None:
    rows = [{"question": f"q{n}", "answer": "word " * 40} for n in range(8)]
    rows += [{"question": "long " * 60 + str(n), "answer": "a"} for n in range(8)]
    rows += [{"question": f"short {n}", "answer": "a"} for n in range(8)]
    (tmp_path / "x").write_bytes(as_jsonl(rows))
    dataset = import_file(tmp_path / "ds", tmp_path / "x")
    header = prepare(tmp_path / "ds" / dataset.id, STARTER, 32, tmp_path / "prepared")
    folder = tmp_path / "prepared" / header.hash
    counts = header.splits.values()
    assert sum(each.truncated for each in counts) == 8
    assert sum(each.dropped for each in counts) == 8
    assert sum(each.rows + each.dropped for each in counts) == 24
    dropped = LineReader(folder / "dropped.jsonl", DroppedRow).read()
    assert [each.line for each in dropped] == list(range(9, 17)) and "32 tokens" in dropped[0].why
    split = read_split(folder, "train")
    for index in range(len(split)):
        ids, trained = split.row(index)
        assert len(ids) <= 32 and sum(trained) > 0
        assert (2 in [token for token, flag in zip(ids, trained, strict=True) if flag]) == (len(ids) < 32)


def test_plain_text_is_learned_whole_and_goes_on_in_the_next_row(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("\n\n".join(f"Paragraph {n}. " + "Words and words. " * 30 for n in range(10)))
    dataset = import_file(tmp_path / "ds", tmp_path / "x.txt")
    header = prepare(tmp_path / "ds" / dataset.id, STARTER, 64, tmp_path / "prepared")
    folder = tmp_path / "prepared" / header.hash
    for split in ("train", "validation"):
        counts = header.splits[split]
        assert counts.trained_tokens == counts.tokens and counts.truncated == counts.dropped == 0
        shown = preview(folder, STARTER, split, 0, 1000)
        texts = [row.text for row in read_rows(tmp_path / "ds", dataset.id, split)]
        assert "".join(each.text for row in shown for each in row.segments) == "".join(
            f"{t}<|endoftext|>" for t in texts
        )
        assert len(set(header.source_rows[split])) == len(texts) < len(shown)


def test_nothing_to_train_on_is_refused_and_leaves_nothing(tmp_path: Path, dataset: Dataset) -> None:
    with pytest.raises(DataError) as caught:
        prepare(tmp_path / "ds" / dataset.id, STARTER, 8, tmp_path / "prepared")
    assert "nothing to train on" in caught.value.card.what and "context length" in caught.value.card.why
    assert list((tmp_path / "prepared").iterdir()) == []


def test_a_template_that_refuses_every_row_is_named(tmp_path: Path, dataset: Dataset) -> None:
    source = "{% for m in messages %}{% if '?' in m.content %}{{ raise_exception('no questions please') }}{% endif %}"
    model = make_model(tmp_path / "strict", source + "{{ m.content + '<end>' }}{% endfor %}")
    with pytest.raises(DataError) as caught:
        prepare(tmp_path / "ds" / dataset.id, model, 512, tmp_path / "prepared")
    assert "no questions please" in caught.value.card.why


def break_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").write_text('{"version": "1.0", "mod')


def remove_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").unlink()


def shrink_vocabulary(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "vocab_size": 100}))


def break_config(model: Path) -> None:
    (model / "tokenizer_config.json").write_text("{")


@pytest.mark.parametrize("damage", [break_tokenizer, remove_tokenizer, shrink_vocabulary, break_config])
def test_a_model_with_a_damaged_tokenizer_ends_in_a_card(tmp_path: Path, dataset: Dataset, damage) -> None:
    model = make_model(tmp_path / "model", TEMPLATES["chatml"])
    damage(model)
    with pytest.raises(ModelError) as caught:
        prepare(tmp_path / "ds" / dataset.id, model, 512, tmp_path / "prepared")
    assert caught.value.card.why and caught.value.card.actions


@pytest.mark.parametrize("name", ["dataset.json", "rows.jsonl"])
def test_a_damaged_dataset_or_preview_ends_in_a_card(tmp_path: Path, dataset: Dataset, name: str) -> None:
    header = prepare(tmp_path / "ds" / dataset.id, STARTER, 512, tmp_path / "prepared")
    (tmp_path / "ds" / dataset.id / name).unlink()
    with pytest.raises(DataError, match="damaged"):
        prepare(tmp_path / "ds" / dataset.id, STARTER, 256, tmp_path / "prepared")
    folder = tmp_path / "prepared" / header.hash
    with pytest.raises(DataError, match="another model"):
        preview(folder, make_model(tmp_path / "m", None))
    (folder / "train.tokens").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read"):
        preview(folder, STARTER)


def test_the_service_works_in_another_process_and_brings_cards_home(tmp_path: Path) -> None:
    async def journey() -> str:
        inspection = await service.inspect_file(tmp_path / "rows.jsonl")
        made = await service.import_file(tmp_path / "ds", tmp_path / "rows.jsonl", name="Mine")
        header = await service.prepare(tmp_path / "ds" / made.id, STARTER, 512, tmp_path / "prepared")
        shown = await service.preview(tmp_path / "prepared" / header.hash, STARTER, count=2)
        assert (inspection.rows, made.name, len(shown)) == (30, "Mine", 2)
        with pytest.raises(ModelError):
            await service.prepare(tmp_path / "ds" / made.id, tmp_path, 512, tmp_path / "prepared")
        try:
            await service.inspect_file(tmp_path / "missing.csv")
        except DataError as error:
            return error.card.what
        return ""

    (tmp_path / "rows.jsonl").write_bytes(as_jsonl(ROWS))
    assert "missing.csv" in anyio.run(journey)


def test_a_killed_reader_is_a_card_and_not_a_crash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(service, "_answered", die)
    with pytest.raises(DataError, match="ended unexpectedly"):
        anyio.run(service.inspect_file, tmp_path)


def die(work: object) -> None:
    """Ends the process it runs in, as the system does when memory runs out."""
    import os

    os._exit(9)


def test_the_app_imports_nothing_heavy_for_data_and_plan() -> None:
    import subprocess

    code = "import sys, engine.data.service, engine.plan.planner, engine.plan.hardware, engine.data.library; "
    code += "heavy = ('polars', 'numpy', 'tokenizers', 'jinja2', 'torch', 'transformers'); "
    code += "print([name for name in heavy if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
