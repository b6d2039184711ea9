"""What the app wrote, fetched by a browser: only what was offered, only by who is let in, whole, and for a while."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio import downloads
from studio.downloads import MOST, OFFERED, Downloads, zipped
from tests.studio.test_gate import address, served

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_an_offered_file_is_fetched_under_its_name_by_who_has_the_cookie(tmp_path: Path):
    file = tmp_path / "Ärger 1.jsonl"
    file.write_bytes(b"row\n" * 700_000)
    async with served(tmp_path) as link, httpx.AsyncClient() as guest, httpx.AsyncClient() as stranger:
        await guest.get(link)
        offer = OFFERED.offer(file)
        answer = await guest.get(address(link) + offer)
        assert answer.content == file.read_bytes()
        assert "%C3%84rger%201.jsonl" in answer.headers["content-disposition"]
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        assert (await stranger.get(address(link) + offer)).status_code == 401
        for guess in ("/file/", "/file/x/Ärger 1.jsonl", f"/file/../{file}", f"/file/{file}"):
            assert (await guest.get(address(link) + guess)).content != file.read_bytes()


async def test_a_folder_comes_as_a_zip_without_links_out_of_it(tmp_path: Path):
    folder = tmp_path / "adapter"
    (folder / "deep").mkdir(parents=True)
    (folder / "weights.bin").write_bytes(bytes(range(256)) * 10_000)
    (folder / "deep" / "empty.txt").write_bytes(b"")
    (tmp_path / "secret").write_text("no")
    (folder / "link").symlink_to(tmp_path / "secret")
    async with served(tmp_path) as link, httpx.AsyncClient() as guest:
        await guest.get(link)
        answer = await guest.get(address(link) + OFFERED.offer(folder))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["adapter/deep/empty.txt", "adapter/weights.bin"]
        assert archive.read("adapter/weights.bin") == (folder / "weights.bin").read_bytes()


@given(files=st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=50), max_size=5))
def test_any_folder_survives_the_zip(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]):
    folder = tmp_path_factory.mktemp("f")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(folder)))) as archive:
        assert {Path(name).name: archive.read(name) for name in archive.namelist()} == files


def test_an_offer_ends_and_there_are_never_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file, offers, now = tmp_path / "a", Downloads(), [0.0]
    file.write_text("a")
    monkeypatch.setattr(downloads.time, "monotonic", lambda: now[0])
    first = offers.offer(file)
    assert offers.find(first) == file
    now[0] = 601.0
    assert offers.find(first) is None
    found = [offers.offer(file) for _ in range(MOST + 20)]
    assert sum(offers.find(each) is not None for each in found) == MOST
    file.unlink()
    assert offers.find(found[-1]) is None
