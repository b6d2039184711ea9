"""The yardstick of what is painted: a bare Flet page with one button, served and shown as the app is.

How long Flet's client takes on this machine is in it; what the app adds is the difference.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

HELLO, PRESSED = "Hello", "Pressed"
PROGRAM = f"""
import itertools, json, socket
import flet as ft, flet_web.fastapi, uvicorn

def show(page):
    said, count = ft.Text("{HELLO}"), itertools.count(1)
    def press(event):
        said.value = f"{PRESSED} {{next(count)}}."
        said.update()
    page.add(said, ft.Button("Press", on_click=press))

listener = socket.create_server(("127.0.0.1", 0))
print(json.dumps({{"link": f"http://127.0.0.1:{{listener.getsockname()[1]}}/"}}), flush=True)
config = uvicorn.Config(flet_web.fastapi.app(show, no_cdn=True), log_level="critical", ws="websockets-sansio")
uvicorn.Server(config).run(sockets=[listener])
"""


def bare() -> tuple[subprocess.Popen[str], str, float]:
    """The bare page's process, its link, and when it was launched."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-P", "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, json.loads(process.stdout.readline())["link"], started
