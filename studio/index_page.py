"""index.html of the served page: Flet's own, told where everything is, with the app's scripts and a strict policy.

The same words as `flet_web.patch_index` puts in (a test holds that), without importing the half of Flet that it needs.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re

from studio import NAME
from studio.asgi import HTML, Send, answer
from studio.client_files import DESCRIPTION, client_folder
from studio.page_scripts import scripts

CONFIG = """<script>
flet.pyodide = false;
flet.canvasKitBaseUrl="/canvaskit/";
flet.fontFallbackBaseUrl="assets/fonts/";
flet.noCdn=true;
flet.webRenderer="auto";
flet.routeUrlStrategy="path";
flet.entrypointBaseUrl="/";
flet.assetBase="/";
flet.webSocketEndpoint="/ws";
</script>"""


async def send_page(send: Send, socket: str, *, login: bool) -> None:
    """Answer with the page, whose WebSocket is at this origin; `login` where it is behind a password."""
    page = index_page().replace("<head>", f"<head>\n{scripts(login=login)}", 1)
    rules = policy(page, socket).encode()
    await answer(send, 200, HTML, page.encode(), [(b"content-security-policy", rules)])


@functools.cache
def index_page() -> str:
    """Flet's page with the app's name and places in it, before the app's own scripts."""
    page = (client_folder() / "index.html").read_text(encoding="utf-8")
    page = page.replace("<!-- fletAppConfig -->", CONFIG)
    page = re.sub(r"<title>.+</title>", f"<title>{NAME}</title>", page)
    for name, content in (("apple-mobile-web-app-title", NAME), ("description", DESCRIPTION)):
        page = re.sub(f'<meta name="{name}" content=".+">', f'<meta name="{name}" content="{content}">', page)
    return page


def policy(page: str, socket: str) -> str:
    """The content security policy of a page: this origin only, and exactly the inline scripts it carries."""
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in inline
    )
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'wasm-unsafe-eval' {hashes}",
            "style-src 'self' 'unsafe-inline'",  # Flutter writes style attributes
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src 'self' {socket} data: blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
