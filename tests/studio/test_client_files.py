"""Files of Flet's client as the served page sends them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest

from studio import NAME
from studio.client_files import DESCRIPTION, PIECE, client_folder, font_manifest, manifest
from studio.index_page import index_page
from studio.theme import FONTS
from tests.studio.test_gate import address, served

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_fonts_that_no_page_shows_are_not_read_at_the_start():
    families = {each["family"] for each in json.loads(font_manifest())}
    assert families == {"MaterialIcons", "Roboto", *FONTS}  # without Roboto Flutter would ask for it


def test_the_page_says_what_flets_own_would(tmp_path):
    from flet_web.patch_index import patch_index_html, patch_manifest_json

    folder = client_folder()
    for name in ("index.html", "manifest.json"):
        shutil.copy(folder / name, tmp_path / name)
    patch_index_html(
        str(tmp_path / "index.html"),
        "",
        websocket_endpoint_path="/ws",
        app_name=NAME,
        app_description=DESCRIPTION,
        no_cdn=True,
    )
    patch_manifest_json(str(tmp_path / "manifest.json"), app_name=NAME, app_description=DESCRIPTION)
    assert index_page() == (tmp_path / "index.html").read_text(encoding="utf-8")
    assert json.loads(manifest()) == json.loads((tmp_path / "manifest.json").read_bytes())


async def test_the_whole_program_arrives_with_safe_headers_and_a_copy_that_is_still_good_is_not_sent_again(tmp_path):
    import flet_web

    own = Path(flet_web.__file__).parent / "web" / "main.dart.wasm"
    async with served(tmp_path) as link, httpx.AsyncClient() as browser:
        await browser.get(link)
        answer = await browser.get(address(link) + "/main.dart.wasm")
        assert answer.headers["content-type"] == "application/wasm"
        assert (
            answer.headers["x-content-type-options"] == "nosniff"
            and "access-control-allow-origin" not in answer.headers
        )
        assert answer.content == own.read_bytes() and len(answer.content) > PIECE
        kept = {"if-none-match": answer.headers["etag"]}
        assert (await browser.get(address(link) + "/main.dart.wasm", headers=kept)).status_code == 304


@pytest.mark.parametrize("path", ["/canvaskit/none.wasm", "/canvaskit/%2e%2e/%2e%2e/fastapi/app.py", "/assets/"])
async def test_what_is_no_file_of_the_client_is_not_found(tmp_path, path):
    async with served(tmp_path) as link, httpx.AsyncClient() as browser:
        await browser.get(link)
        assert (await browser.get(address(link) + path)).status_code == 404


async def test_the_program_is_for_those_who_may_come_in(tmp_path):
    async with served(tmp_path) as link, httpx.AsyncClient() as stranger:
        for path in ("/main.dart.wasm", "/canvaskit/skwasm.wasm"):
            assert (await stranger.get(address(link) + path)).status_code == 401
