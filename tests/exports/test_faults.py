"""What may go wrong on the way: a full disk, a folder in use, a stop, names with tricks, and what must not be told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gguf import GGUFWriter
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import PlanError, StorageError
from engine.core.home import Home
from engine.exports import private_places, quant_for
from engine.results.exports import refuse_place, refuse_small_disk, safe_name
from engine.spec.exits import Exit
from engine.spec.exports import SAFE_NAME, Form, Quant
from engine.spec.files import write_struct
from engine.spec.records import LaunchRecord
from engine.spec.runspec import ExportJob, SpecInvalid, validated
from engine.worker.control import ControlFile, Wish
from engine.worker.exporting.cleaning import CREDENTIAL, clean_folder, cleaned, refuse_leaks
from engine.worker.exporting.job import Exporting
from engine.worker.fault import Fault
from engine.worker.reporter import Reporter
from tests.exports.jobs import PRIVATE, QUESTIONS, export_job, export_spec, prompting_for, run_export
from tests.exports.made import WITH_BEGIN
from tests.making import run_folder

SMALL_KB = 100
"""Less than any form of the small model takes."""


@pytest.fixture
def job(tmp_path: Path, tiny: Path, tiny_adapter: Path) -> ExportJob:
    prompting = prompting_for(tiny, WITH_BEGIN)
    return export_job(tiny, tiny_adapter, tmp_path / "out", "gguf", "f16", prompting=prompting)


def left_over(place: Path) -> list[str]:
    return [path.name for path in place.iterdir() if path.name != "run"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with less room than the model needs. Mounting one is for root, and for Linux."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_KB}k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def small_limit() -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_KB * 1024, SMALL_KB * 1024))


FORMS: tuple[tuple[Form, Quant], ...] = (("merged", "none"), ("gguf", "f16"), ("gguf", "q8_0"), ("package", "none"))


@pytest.mark.parametrize(("form", "quant"), FORMS, ids=lambda each: str(each))
def test_a_disk_that_really_fills_up_leaves_nothing_and_says_so(
    tmp_path: Path, job: ExportJob, small_disk: Path, form: Form, quant: Quant
) -> None:
    wanted = msgspec.structs.replace(job, form=form, quant=quant, target=str(small_disk / "out"))
    code, folder = run_export(tmp_path / "run", wanted)
    error = folder.state().error
    assert code is Exit.DISK_FULL
    assert error and error.what == "The disk is full." and "removed" in error.why
    assert len(error.actions) >= 2 and not any("checkpoint" in each.label for each in error.actions)
    assert list(small_disk.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
@pytest.mark.worker
@pytest.mark.parametrize("form", ["merged", "gguf"])
def test_a_file_that_may_not_grow_as_large_is_said(tmp_path: Path, job: ExportJob, form: Form) -> None:
    quant: Quant = "f16" if form == "gguf" else "none"
    folder = run_folder(tmp_path / "run", export_spec(msgspec.structs.replace(job, form=form, quant=quant)))
    write_struct(folder.launch_file, LaunchRecord(attempt=0, pid=0, process_started=0, host="", time=0, threads=1))
    words = [sys.executable, "-P", "-m", "engine.worker", str(folder.path)]
    done = subprocess.run(words, preexec_fn=small_limit, capture_output=True, check=False)
    error = folder.state().error
    assert done.returncode == Exit.DISK_FULL, done.stderr.decode()[-2000:]
    assert error and "too large for this disk" in error.what
    assert left_over(tmp_path) == []


def test_an_error_that_nobody_thought_of_offers_no_checkpoint(
    tmp_path: Path, job: ExportJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: GGUFWriter, *words: Any) -> None:
        raise ValueError("a tensor of an odd shape")

    monkeypatch.setattr(GGUFWriter, "write_tensor_data", broken)
    code, folder = run_export(tmp_path / "run", job)
    error = folder.state().error
    assert code is Exit.CRASHED and error and "odd shape" in error.why
    assert error.actions[0].label == "Export it again."
    assert not any(each.do == "resume" or "checkpoint" in each.label for each in error.actions)
    assert left_over(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such modes")
def test_every_file_is_as_readable_as_the_others(tmp_path: Path, job: ExportJob) -> None:
    before = os.umask(0o027)
    try:
        assert run_export(tmp_path / "run", msgspec.structs.replace(job, form="hf", quant="none"))[0] is Exit.COMPLETED
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()}
    assert "model.safetensors" in modes and set(modes.values()) == {0o640}


def test_an_empty_folder_is_taken_and_one_in_use_is_left_alone(tmp_path: Path, job: ExportJob) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert run_export(tmp_path / "run", job)[0] is Exit.COMPLETED
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    code, folder = run_export(tmp_path / "again", job)
    error = folder.state().error
    assert code is Exit.BAD_SPEC and error and "not empty" in error.what
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_a_file_that_appears_in_the_folder_meanwhile_is_kept(
    tmp_path: Path, job: ExportJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.worker.exporting import job as program

    listen = program.trained_answers

    def meanwhile(asked: ExportJob) -> Any:
        Path(asked.target).mkdir()
        (Path(asked.target) / "mine.txt").write_text("mine", encoding="utf-8")
        return listen(asked)

    monkeypatch.setattr(program, "trained_answers", meanwhile)
    assert run_export(tmp_path / "run", job)[0] is Exit.BAD_SPEC
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("wish", "code"), [(Wish.STOP, Exit.STOPPED), (Wish.PAUSE, Exit.PAUSED)])
def test_a_stop_in_the_middle_leaves_nothing(tmp_path: Path, job: ExportJob, wish: Wish, code: Exit) -> None:
    folder = run_folder(tmp_path / "run", export_spec(job))
    reporter = Reporter(folder, 0)
    control = ControlFile(folder, reporter, 0)
    looks = iter(range(1000))

    def look() -> Wish | None:
        control.wish = wish if next(looks) == 6 else control.wish
        return control.wish

    control.look = look  # type: ignore[method-assign]
    reporter.start()
    assert Exporting(job, folder, reporter, control).run() is code
    reporter.close()
    assert left_over(tmp_path) == []


def test_a_base_that_is_gone_is_said_with_what_to_do(tmp_path: Path, job: ExportJob) -> None:
    gone = msgspec.structs.replace(job.model, path=str(tmp_path / "gone"))
    code, folder = run_export(tmp_path / "run", msgspec.structs.replace(job, model=gone))
    error = folder.state().error
    assert code is Exit.MISSING_FILES and error and error.actions
    assert left_over(tmp_path) == []


TRICKS = ("../../etc/passwd", "..", ".", "", "a/b", "C:\\Windows", "con\0", "~root", "-rf", "ünï cödé", "a" * 300)


@pytest.mark.parametrize("name", TRICKS)
def test_a_name_with_tricks_becomes_a_plain_one_or_is_refused(name: str, job: ExportJob) -> None:
    plain = safe_name(name)
    assert (Path("/place") / plain).resolve().parent == Path("/place")
    validated(export_spec(msgspec.structs.replace(job, name=plain, publisher=plain)))
    if name != plain:
        with pytest.raises(SpecInvalid):
            validated(export_spec(msgspec.structs.replace(job, name=name)))


@given(st.text())
def test_any_name_becomes_one_that_stays_in_its_folder(name: str) -> None:
    import re

    plain = safe_name(name)
    assert re.match(SAFE_NAME, plain) and ".." not in plain
    assert safe_name(plain) == plain


def test_a_place_inside_the_home_or_the_base_or_in_use_is_refused(tmp_path: Path) -> None:
    home, model = Home.open(tmp_path / "home"), tmp_path / "model"
    model.mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("", encoding="utf-8")
    for place in (home.versions / "x", home.path, model, tmp_path / "new" / ".." / "home" / "runs" / "x"):
        with pytest.raises(StorageError, match="cannot be put there"):
            refuse_place(place, home, model)
    with pytest.raises(StorageError, match="not empty"):
        refuse_place(tmp_path / "full", home, model)
    for place in (tmp_path / "full" / "a", tmp_path / "full" / "a" / "sub", tmp_path / "full" / "a" / "b" / "c"):
        with pytest.raises(StorageError, match="cannot be put there") as caught:
            refuse_place(place, home, model)
        assert "is a file" in caught.value.card.why
    refuse_place(tmp_path / "free", home, model)
    refuse_place(home.exports / "run" / "files", home, model)


def test_a_link_into_the_home_is_seen_through(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    link = tmp_path / "innocent"
    try:
        link.symlink_to(home.versions, target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    with pytest.raises(StorageError, match="cannot be put there"):
        refuse_place(link / "x", home, tmp_path / "model")


def test_too_small_a_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not enough room") as caught:
        refuse_small_disk(tmp_path / "a" / "b", 10**18)
    assert len(caught.value.card.actions) >= 2 and "1000000000.0 GB" in caught.value.card.why
    refuse_small_disk(tmp_path / "a" / "b", 1)


def test_number_formats_belong_to_gguf_files() -> None:
    assert (quant_for("gguf", None), quant_for("merged", None), quant_for("ollama", "f16")) == ("q8_0", "none", "f16")
    with pytest.raises(PlanError, match="no number format"):
        quant_for("adapter", "f16")


KEYS = ("hf_" + "a1B2" * 8, "sk-" + "x" * 30, "ghp_" + "Z" * 36, "AKIA" + "A" * 16)
inner = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=10)


@given(st.lists(inner, max_size=4), st.sampled_from(PRIVATE), st.sampled_from(KEYS), inner)
def test_no_place_and_no_key_survives_cleaning(parts: list[str], place: str, key: str, words: str) -> None:
    path = "/".join([place, *parts])
    after = cleaned(f'{words} "{path}" {key} {words}', PRIVATE)
    assert place not in after and not CREDENTIAL.search(after)
    assert after.startswith(words) and after.endswith(words)
    if parts:
        assert parts[-1] in after


def test_what_was_cleaned_is_still_json_and_says_no_place(tmp_path: Path) -> None:
    config = {"_name_or_path": "/home/somebody/m", "a": ["/home/somebody/x/base", {"token": KEYS[0]}], "n": 1}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "tokenizer.json").write_text('{"vocab": ["/home/somebody"]}', encoding="utf-8")
    clean_folder(tmp_path, PRIVATE)
    after = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert after == {"a": ["base", {"token": "[removed]"}], "n": 1}
    refuse_leaks(tmp_path, PRIVATE)  # words of a language may look like anything
    (tmp_path / "extra.md").write_text("made in /Users/somebody", encoding="utf-8")
    with pytest.raises(Fault) as caught:
        refuse_leaks(tmp_path, PRIVATE)
    assert "extra.md" in caught.value.card.why


def test_nothing_of_an_export_names_where_it_was_made(tmp_path: Path, job: ExportJob, tiny: Path) -> None:
    places = (str(tiny), str(tmp_path))
    card = f"# x\n\nMade in {tmp_path / 'secret'} with {KEYS[1]}\n"
    for form in ("adapter", "hf"):
        target = tmp_path / form
        made = msgspec.structs.replace(
            job, form=form, quant="none", target=str(target), private=places, card=card, name="x"
        )
        assert run_export(tmp_path / f"run-{form}", made)[0] is Exit.COMPLETED
        everything = b"".join(path.read_bytes() for path in target.rglob("*") if path.is_file())
        assert not any(place.encode() in everything for place in places) and KEYS[1].encode() not in everything
        assert not any(question.encode() in everything for question in QUESTIONS)  # rows of the user's data


def test_private_places_are_the_users_own_and_no_root(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    places = private_places(home, tmp_path / "models" / "llama")
    assert str(Path.home()) in places and str(home.path) in places and str(tmp_path / "models") in places
    assert not any(place in ("/", "C:\\", ".") for place in private_places(home, Path("/m")))
