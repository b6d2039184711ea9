"""Benchmarks on the page of a version: which public tasks it and its base are asked, the harness that asks them, how
far they are, and what came out."""

from __future__ import annotations

from typing import Any

import flet as ft

from engine import orders
from engine.benchmarking import Benchmarking
from engine.results.listing import Listed
from engine.results.tasks import PublicTask, public_tasks
from engine.spec.records import RunState
from studio.hooks import use_attempt, use_engine, use_latest, use_surroundings, use_topic
from studio.kit import (
    Busy,
    ErrorCard,
    NumberField,
    Switch,
    TextField,
    amount,
    bar,
    body,
    card,
    chip,
    component,
    label,
    loading,
    muted,
    notice,
    percent,
    quiet,
    row,
    section,
)
from studio.pages.benchmark_results import Results, asked_words
from studio.theme import S2, S3, S4

USUAL_ROWS, MOST_ROWS = 100, 1_000_000


@component
def VersionBenchmarks(each: Listed) -> Any:
    """Everything about benchmarks of one version: what is at work, what came out, and the way to another."""
    engine = use_engine()
    runs = use_topic(engine.runs.list, every=0.5)
    known = engine.benchmarks.among(runs)
    mine = engine.benchmarks.of(each.version.id, runs)
    blocks: list[ft.Control] = []
    asking = any(one.at_work and not one.installs for one in known)  # that run installs what is missing
    if not engine.benchmarks.installed and not asking:
        blocks.append(Harness(each, next((one for one in known if one.installs), None)))
    going = [one for one in mine if one.at_work]
    blocks += [AtWork(one, key=one.run.id) for one in going]  # type: ignore[call-arg]
    if mine and not mine[0].at_work and mine[0].run.state is not RunState.COMPLETED:
        blocks.append(Unfinished(mine[0], key=f"left-{mine[0].run.id}"))  # type: ignore[call-arg]
    done = tuple(one for one in mine if one.run.state is RunState.COMPLETED)
    if done:
        blocks.append(Results(each.version.id, done))
    if each.usable and not going:
        blocks.append(Wish(each))
    return ft.Column(blocks, spacing=S4, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def Harness(each: Listed, installing: Benchmarking | None) -> Any:
    """That the harness is missing, and the press that installs it; or how far that is, or why it could not be."""
    engine = use_engine()
    problem, trying = use_attempt()

    async def install() -> None:
        if installing is not None and installing.run.state.resumable:
            engine.runs.resume(installing.run.id)
        else:
            engine.benchmarks.start(orders.Benchmark(version=each.version.id, tasks=()))

    if installing is not None and installing.at_work:
        return AtWork(installing, key=installing.run.id)  # type: ignore[call-arg]
    blocks: list[ft.Control] = []
    if installing is not None and installing.run.error is not None:
        blocks.append(ErrorCard(installing.run.error, again=trying(install)))
    else:
        press = Busy("Install it", "Starting", trying(install), icon=ft.Icons.DOWNLOAD, main=False)
        why = (
            "Public benchmarks are asked by lm-evaluation-harness. It goes into an environment of its own beside the "
            "libraries that are here already, once, and needs the network for that. A benchmark that is started "
            "without it installs it first."
        )
        blocks.append(notice("info", "The benchmark harness is not installed yet.", why, press))
    if problem is not None:
        blocks.append(ErrorCard(problem))
    return ft.Column(blocks, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


@component
def AtWork(each: Benchmarking) -> Any:
    """How far a benchmark or an installation is."""
    engine = use_engine()
    run = use_topic(engine.runs.live(each.run.id).view, every=0.5)
    words = "Waiting for its turn." if run.state is RunState.CREATED else run.message or "It begins."
    share = run.progress or None if run.state.active else 0.0
    said = f"{words} {percent(run.progress)}." if run.progress else words
    name = "Installation" if each.installs else "Benchmark"
    blocks: list[ft.Control] = [] if each.installs else [label(asked_words(each.job))]
    blocks += [
        body(said),
        bar(share, name=name),
        row(quiet("Stop", lambda: engine.runs.stop(each.run.id), icon=ft.Icons.STOP)),
    ]
    return section(name, card(ft.Column(blocks, spacing=S2)))


@component
def Unfinished(each: Benchmarking) -> Any:
    """A benchmark that ended before its end: why, and the press that goes on with it."""
    engine = use_engine()
    problem, trying = use_attempt()

    async def go_on() -> None:
        engine.runs.resume(each.run.id)

    if each.run.error is not None:
        shown: ft.Control = ErrorCard(each.run.error, again=trying(go_on))
    else:
        press = Busy("Go on with it", "Starting", trying(go_on), icon=ft.Icons.PLAY_ARROW, main=False)
        why = f"{asked_words(each.job)}. Models that were asked wholly are not asked again."
        shown = notice("info", "The last benchmark did not finish.", why, press)
    return ft.Column([shown, *([ErrorCard(problem)] if problem is not None else [])], spacing=S3)


@component
def Wish(each: Listed) -> Any:
    """Which tasks, how many examples of each, and the start."""
    engine, confined = use_engine(), use_surroundings().confined
    chosen, choose = ft.use_state((public_tasks()[0].name,))
    folder, set_folder = ft.use_state("")
    rows, set_rows = ft.use_state(USUAL_ROWS)
    chat, set_chat = ft.use_state(False)
    online, set_online = ft.use_state(False)
    problem, trying = use_attempt()

    def toggle(task: str) -> None:
        choose(lambda now: tuple(one for one in now if one != task) if task in now else (*now, task))

    def take(place: str) -> None:
        set_folder(place.strip())
        choose(lambda now: tuple(one for one in now if one in [each.name for each in public_tasks()]))

    async def start() -> None:
        wish = orders.Benchmark(
            version=each.version.id,
            tasks=chosen,
            tasks_folder="" if confined else folder,
            rows=rows or None,
            chat=chat,
            online=online,
        )
        engine.benchmarks.start(wish)

    blocks: list[ft.Control] = [Tasks(chosen, toggle)]
    if not confined:
        blocks.append(OwnTasks(folder, take, chosen, toggle))
    blocks += [
        row(
            NumberField(
                rows, lambda count: set_rows(int(count)), "Examples of each", whole=True, minimum=0, maximum=MOST_ROWS
            ),
            muted("0 asks all. With fewer, less can be shown."),
            spacing=S3,
        ),
        Switch(online, set_online, label="Let it fetch the tasks' questions from the network"),
        muted("Each public task is fetched once; what was fetched before needs no network."),
        Switch(chat, set_chat, label="Ask in the model's chat template"),
        row(Busy("Start the benchmark", "Starting", trying(start), icon=ft.Icons.SPEED, disabled=not chosen)),
    ]
    if problem is not None:
        blocks.append(ErrorCard(problem))
    about = "Does it still know what its base knew? Both are asked the same public questions."
    return section("Run a benchmark", muted(about, size=14), card(ft.Column(blocks, spacing=S3)))


@component
def Tasks(chosen: tuple[str, ...], toggle: Any) -> Any:
    """The public tasks, and what each one chosen asks."""
    every = public_tasks()
    chips = [chip(one.title, lambda one=one: toggle(one.name), selected=one.name in chosen) for one in every]
    about = [muted(_about(one), size=14) for one in every if one.name in chosen]
    return ft.Column([label("Public tasks"), row(*chips), *about], spacing=S2, tight=True)


def _about(task: PublicTask) -> str:
    return f"{task.title}: {task.about} {amount(task.examples)} examples."


@component
def OwnTasks(folder: str, take: Any, chosen: tuple[str, ...], toggle: Any) -> Any:
    """Tasks of the user's own: a folder on this computer, and those found in it."""
    engine = use_engine()

    async def look() -> tuple[str, ...]:
        return await engine.benchmarks.own_tasks(folder) if folder else ()

    found, problem, again = use_latest(look, [folder])
    blocks: list[ft.Control] = [
        ft.Container(TextField(folder, take, label="Folder with tasks of your own (optional)"), width=420),
        muted(
            "The YAML files of lm-evaluation-harness. They may name Python of their own, which runs with your rights: "
            "take only what you can read."
        ),
    ]
    if problem is not None:
        blocks.append(ErrorCard(problem, again=again))
    elif found is None:
        blocks.append(loading("Looking for tasks"))
    elif found:
        blocks.append(row(*(chip(one, lambda one=one: toggle(one), selected=one in chosen) for one in found)))
    return ft.Column(blocks, spacing=S2, tight=True)
