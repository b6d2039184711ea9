"""`peft-studio app`, `serve`, `keeper` and `doctor`: opening a Home, and what the machine under it can do.

The page is asked for before most of the engine is imported, so nothing of that may be imported here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.core import logs
from engine.core.home import Home
from studio.terminal.command import HomeOption, JsonOption, command
from studio.terminal.show import print_json


@command
def open_app(home: HomeOption = None, json: JsonOption = False) -> None:
    """Open the app in a window; as a page in the browser where no window can be had."""
    from studio.desktop import open_window

    place = Home.open(home)
    logs.to_folder(place.logs, "app")
    open_window(place.path)


@command
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for every one of this machine.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    name: Annotated[list[str] | None, typer.Option(help="A further name it is reached by; repeatable.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="For https: a certificate (PEM) with its chain.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="The certificate's key (PEM), if it is not in the same file.")
    ] = None,
    login: Annotated[bool, typer.Option("--login", help="Ask for an account on this machine, too.")] = False,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Serve the app as a page: behind a one-time link on this machine, behind a login on any other address."""
    from studio.web import HOST, Where, serve_home

    place = Home.open(home)
    logs.to_folder(place.logs, "app")
    where = Where(host=host or HOST, port=port, names=tuple(name or ()), certificate=certificate, key=key, login=login)
    serve_home(place.path, where, browser=browser and not where.guarded, json=json)


@command
def keeper(home: HomeOption = None, json: JsonOption = False) -> None:
    """Hold the Home while runs wait and no app is open; leaves by itself. Commands start it when needed."""
    from engine.keeper import main as keep

    raise typer.Exit(keep(str(Home.open(home).path)))


@command
def doctor(home: HomeOption = None, json: JsonOption = False) -> None:
    """Check what this machine can do and where things are."""
    from studio.terminal.doctor import examine, print_report

    report = examine(Home.open(home))
    print_json(report) if json else print_report(report)
    raise typer.Exit(0 if report.ready else 1)
