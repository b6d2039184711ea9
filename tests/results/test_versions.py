"""Versions over their life: numbers, parents, use, archive, deletion, and files that are not what they were."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from engine.core.errors import DataError, ModelError, PlanError
from engine.results import care, listing
from engine.results.continuing import continuation
from engine.results.evaluation import Evaluation
from engine.results.integrity import Tampered
from engine.results.listing import listed
from engine.results.versions import Version, Versions, next_number
from engine.spec.digests import MODEL_FILES, digests
from engine.spec.methods import method_name
from engine.spec.runspec import ModelRef
from tests.making import METHODS, tiny_model
from tests.results.made import evaluation_of, finished_run, job_of, spec_of, version_in


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "versions")


@pytest.fixture
def first(versions: Versions, tmp_path: Path) -> Version:
    return version_in(versions, tmp_path / "runs", "run-1")


def test_going_on_from_a_version_gives_it_a_patch_number(versions: Versions, first: Version, tmp_path: Path) -> None:
    second = version_in(versions, tmp_path / "runs", "run-2")
    onward = version_in(versions, tmp_path / "runs", "run-3", parent=first.id)
    further = version_in(versions, tmp_path / "runs", "run-4", parent=onward.id)
    numbers = [each.number for each in (first, second, onward, further)]
    assert numbers == ["v1.0.0", "v1.1.0", "v1.0.1", "v1.0.2"]
    assert (onward.parent, further.parent) == (first.id, onward.id)
    assert next_number(versions.all(), "support", "other") == "v2.0.0"


def test_what_a_version_went_on_from_counts_as_trained_on(versions: Versions, first: Version, tmp_path: Path) -> None:
    onward = version_in(versions, tmp_path / "runs", "run-2", parent=first.id, data="other")
    assert versions.trained_on(onward) == ("other", "dh") and versions.trained_on(first) == ("dh",)


def test_a_version_knows_the_spec_it_was_made_by(versions: Versions, first: Version, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "runs")
    kept = versions.spec(first)
    assert kept == msgspec.structs.replace(spec_of("run-1"), created=kept.created)


def test_a_quick_look_leaves_the_evaluation_on_most_rows_in_place(
    versions: Versions, first: Version, tmp_path: Path
) -> None:
    def evaluated(run: str, rows: int, right: float = 0.5, **changes: str) -> Evaluation:
        made = evaluation_of(tmp_path / run, first.id, right, rows=rows)
        changed = msgspec.structs.replace(made, run=run, **changes)
        versions.keep_evaluation(first, changed)
        return changed

    quick = evaluated("quick", 10)
    assert versions.evaluation(first) == quick
    whole = evaluated("whole", 30)
    evaluated("quick again", 10)
    evaluated("other data", 40, dataset_hash="other")
    evaluated("all rows", 40, side="all")
    assert whole.score and versions.evaluation(first) == whole
    assert listed(versions, first).score == whole.score.value
    assert len(versions.evaluations(first)) == 5
    newer = evaluated("whole again", 30, right=0.9)
    assert versions.evaluation(first) == newer


@pytest.mark.parametrize("how", ["changed", "shortened", "gone", "added"])
def test_a_tampered_adapter_is_refused_naming_the_file(
    versions: Versions, first: Version, tmp_path: Path, how: str
) -> None:
    weights = versions.adapter(first) / "adapter_model.safetensors"
    name = weights.name
    if how == "changed":
        weights.unlink()
        weights.write_bytes(b"WEIGHTS")
    elif how == "shortened":
        weights.write_bytes(b"weight")
    elif how == "gone":
        weights.unlink()
    else:
        name = "pytorch_model.bin"
        (weights.parent / name).write_bytes(b"pickle")
    with pytest.raises(Tampered) as caught:
        versions.adapter(first)
    assert name in caught.value.card.why and first.title in caught.value.card.what


def test_a_damaged_list_of_files_is_not_believed(versions: Versions, first: Version) -> None:
    (versions.folder(first) / "integrity.json").write_text("{")
    with pytest.raises(Tampered, match="cannot be trusted"):
        versions.adapter(first)


def test_a_list_of_files_that_was_removed_hides_no_tampering(versions: Versions, first: Version) -> None:
    weights = versions.adapter(first) / "adapter_model.safetensors"
    weights.unlink()
    weights.write_bytes(b"WEIGHTS")
    (versions.folder(first) / "integrity.json").unlink()
    with pytest.raises(Tampered, match=f"{first.title} cannot be trusted") as caught:
        versions.adapter(first)
    assert "is gone" in caught.value.card.why
    (listed,) = listing.every(versions)
    assert listed.files_problem == caught.value.card and not listed.usable


def test_an_archive_without_its_list_of_files_is_not_restored(versions: Versions, first: Version) -> None:
    care.archive(versions, first)
    (versions.folder(first) / "integrity.json").unlink()
    with pytest.raises(Tampered):
        care.restore(versions, first)
    assert versions.archived(first)


def test_a_version_is_used_and_rolled_back(versions: Versions, first: Version, tmp_path: Path) -> None:
    second = version_in(versions, tmp_path / "runs", "run-2")
    assert care.active(versions, "support") is None
    care.set_active(versions, first)
    care.set_active(versions, second)
    assert care.active(versions, "support") == second
    assert care.roll_back(versions, "support") == first
    assert care.active(versions, "support") == first
    with pytest.raises(DataError, match="nothing to roll support back to"):
        care.roll_back(versions, "support")


def test_what_is_in_use_is_neither_archived_nor_deleted(versions: Versions, first: Version) -> None:
    care.set_active(versions, first)
    for act in (care.archive, care.delete):
        with pytest.raises(DataError, match="cannot be"):
            act(versions, first)
    assert versions.adapter(first).is_dir()


def test_an_archive_comes_back_as_it_was(versions: Versions, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "runs", spec_of("run-9"), weights=b"0" * 100_000)
    versions.path.mkdir()
    version = versions.add(run, {}, 10)
    assert version is not None
    shutil.rmtree(run.path)  # only now does the version alone hold the bytes
    before = care.size_of(versions, version)
    after = care.archive(versions, version)
    assert after.bytes < before.bytes / 10 and versions.archived(version)
    with pytest.raises(DataError, match="is archived"):
        versions.adapter(version)
    assert (care.restore(versions, version) / "adapter_model.safetensors").read_bytes() == b"0" * 100_000
    assert not versions.archived(version) and care.size_of(versions, version).bytes == before.bytes


def test_a_tampered_archive_is_not_restored(versions: Versions, first: Version, tmp_path: Path) -> None:
    import zipfile

    care.archive(versions, first)
    archive = versions.folder(first) / "adapter.zip"
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("adapter_config.json", "{}")
        package.writestr("adapter_model.safetensors", "other")
    with pytest.raises(Tampered):
        care.restore(versions, first)
    assert versions.archived(first) and not (versions.folder(first) / "adapter").exists()


def test_deleting_says_what_it_freed(versions: Versions, first: Version, tmp_path: Path) -> None:
    shared = care.size_of(versions, first)
    assert shared.reclaimable < shared.bytes  # the run holds the adapter too
    shutil.rmtree(tmp_path / "runs")
    alone = care.size_of(versions, first)
    assert alone.reclaimable == alone.bytes == care.delete(versions, first).reclaimable
    assert versions.all() == () and [path.name for path in versions.path.iterdir()] == ["deleted.json"]


def test_the_number_of_a_deleted_version_is_never_given_to_another(
    versions: Versions, first: Version, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    second = version_in(versions, runs, "run-2")
    care.delete(versions, second)
    third = version_in(versions, runs, "run-3")
    onward = version_in(versions, runs, "run-4", parent=third.id)
    care.delete(versions, onward)
    care.delete(versions, third)
    numbers = [second.number, third.number, onward.number, version_in(versions, runs, "run-5").number]
    assert numbers == ["v1.1.0", "v1.2.0", "v1.2.1", "v1.3.0"]
    care.delete(versions, first)
    care.delete(versions, versions.find("last"))
    assert version_in(versions, runs, "run-6", data="other").number == "v2.0.0"


def test_a_deleted_version_is_not_made_again_unless_its_run_went_on(versions: Versions, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "runs", spec_of("run-9"))
    versions.path.mkdir()
    made = versions.add(run, {}, 10)
    assert made is not None
    care.delete(versions, made)
    assert versions.add(run, {}, 10) is None and versions.all() == ()
    again = versions.add(run, {}, 12)
    assert again is not None and again.number == "v1.1.0"


def test_a_full_disk_is_called_low_and_names_the_largest_first(
    versions: Versions, first: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished_run(tmp_path / "runs", spec_of("run-2"), weights=b"1" * 50_000)
    large = versions.add(run, {}, 10)
    shutil.rmtree(tmp_path / "runs")
    assert large is not None
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(care.shutil, "disk_usage", lambda _: usage._replace(total=10**12, free=10**9))
    found = care.space(versions)
    assert found.low and [each.version for each in found.versions] == [large.id, first.id]
    monkeypatch.setattr(care.shutil, "disk_usage", lambda _: usage._replace(total=10**12, free=10**11))
    assert not care.space(versions).low


def test_notes_and_tags_are_kept_and_each_tag_once(versions: Versions, first: Version) -> None:
    versions.change(first, notes="the good one", tags=("a", "b", " a ", ""))
    versions.change(versions.find("last"), notes="still")
    assert (versions.find("last").notes, versions.find("last").tags) == ("still", ("a", "b"))


def test_a_base_that_changed_or_is_gone_is_said(versions: Versions, first: Version, tmp_path: Path) -> None:
    from engine.plan.models import read_base_model

    folder = tiny_model(tmp_path / "model")
    sits = msgspec.structs.replace(
        first, model_path=str(folder), model_fingerprint=read_base_model(folder).ref.fingerprint
    )
    assert care.base_problem(sits) is None
    weights = folder / "model.safetensors"
    noted = msgspec.structs.replace(sits, model_digests=digests(folder, MODEL_FILES))
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4] + b"\0\0\0\1")  # as large as before
    same_size = care.base_problem(noted)
    assert same_size and "model.safetensors" in same_size.why and care.base_problem(sits) is None
    weights.write_bytes(whole)
    assert care.base_problem(noted) is None
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"num_attention_heads": 4', '"num_attention_heads": 2'))
    changed = care.base_problem(sits)
    assert changed and "has changed" in changed.what and changed.actions
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="is gone"):
        care.checked_base(sits)


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_version_on_another_base_is_neither_used_nor_rolled_back_to(
    versions: Versions, tmp_path: Path, how: str
) -> None:
    folder = tiny_model(tmp_path / "model")
    spec = spec_of("run-1")
    job = msgspec.structs.replace(job_of(spec), model=ModelRef(path=str(folder), name="tiny", fingerprint=""))
    run = finished_run(tmp_path / "runs", msgspec.structs.replace(spec, job=job))
    (run.path / "provenance.json").write_bytes(msgspec.json.encode({"model": digests(folder, MODEL_FILES)}))
    versions.path.mkdir()
    first = versions.add(run, {}, 10)
    second = version_in(versions, tmp_path / "runs", "run-2")
    assert first is not None
    care.set_active(versions, first)
    care.set_active(versions, second)
    if how == "gone":
        shutil.rmtree(folder)
    else:
        weights = folder / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ModelError, match=f"base model of {first.title}"):
        care.set_active(versions, first)
    with pytest.raises(ModelError, match=f"base model of {first.title}"):
        care.roll_back(versions, "support")
    with pytest.raises(ModelError, match=f"base model of {first.title}"):
        care.loadable(versions, first)
    assert care.active(versions, "support") == second


@pytest.mark.parametrize("method", ["lora", "dora", "qlora", "ia3", "full"])
def test_a_continuation_takes_the_method_over(versions: Versions, tmp_path: Path, method: str) -> None:
    folder = tiny_model(tmp_path / "model")
    version = version_in(versions, tmp_path / "runs", "run-1", method=METHODS[method])  # type: ignore[arg-type]
    onward = continuation(versions, msgspec.structs.replace(version, model_path=str(folder), model_fingerprint=""))
    assert onward.method == method_name(METHODS[method])
    assert onward.edits.get("rank") == getattr(METHODS[method], "rank", None)


@pytest.mark.parametrize("method", ["prefix", "prompt", "pissa"])
def test_what_cannot_be_trained_on_says_so(versions: Versions, tmp_path: Path, method: str) -> None:
    folder = tiny_model(tmp_path / "model")
    version = version_in(versions, tmp_path / "runs", "run-1", method=METHODS[method])  # type: ignore[arg-type]
    with pytest.raises(PlanError, match="cannot go on"):
        continuation(versions, msgspec.structs.replace(version, model_path=str(folder), model_fingerprint=""))


def test_who_sees_an_evaluation_of_a_run_sees_the_versions_own_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = Versions(tmp_path / "versions")
    version = version_in(versions, tmp_path / "runs", "run-1")
    written: list[str] = []
    monkeypatch.setattr("engine.results.versions.write_struct", lambda path, _: written.append(path.name))
    found = evaluation_of(tmp_path, version.id, 0.5)
    versions.keep_evaluation(version, found)
    assert written == ["evaluation.json", f"{found.run}.json"]
