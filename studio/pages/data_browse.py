"""A dataset's rows one by one: sorted by points or length, filtered, chosen, hidden or deleted as a recorded step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flet as ft
import msgspec

from engine.core.errors import unexpected
from engine.data.marks import MARKS
from engine.data.nouns import Dataset, Order, Row, Step
from engine.data.paging import Filter
from engine.data.preferences import shared_turns
from studio.hooks import go, use_engine, use_loaded, use_surroundings
from studio.kit import (
    Busy,
    Choice,
    ErrorCard,
    TextField,
    badge,
    card,
    chip,
    component,
    empty,
    icon_button,
    label,
    loading,
    muted,
    plural,
    rightward,
    row,
    section,
    toast,
    verbatim,
)
from studio.theme import S1, S2, S3, Ink

if TYPE_CHECKING:
    from engine.data.paging import Page, PagedRow

SHOWN = 20
ANY = "any"
ORDERS: dict[str, tuple[str, Order, bool]] = {
    "file": ("As in the file", "row", False),
    "worst": ("Fewest points first", "score", False),
    "best": ("Most points first", "score", True),
    "long": ("Longest first", "length", True),
    "short": ("Shortest first", "length", False),
}
SIDES = {"": "All sides", "train": "To learn from", "validation": "Held out", "test": "To test"}


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows are looked at: their order, what is left of them, and from which one on."""

    order: str = "file"
    finding: str = ""
    side: str = ""
    words: str = ""
    start: int = 0

    @property
    def filter(self) -> Filter:
        """The filter in the engine's words."""
        return msgspec.convert({"finding": self.finding, "side": self.side or None, "words": self.words}, Filter)


@component
def Browse(dataset: Dataset) -> Any:
    """The rows in sight, and those that are hidden."""
    hidden, set_hidden = ft.use_state(False)
    chips = [
        chip(f"In sight ({dataset.rows:,})", lambda: set_hidden(False), selected=not hidden),
        chip(f"Hidden ({dataset.hidden:,})", lambda: set_hidden(True), selected=hidden),
    ]
    what = Hidden(dataset) if hidden and dataset.hidden else InSight(dataset)
    return section("Rows", *([row(*chips)] if dataset.hidden else []), what)


@component
def InSight(dataset: Dataset) -> Any:
    """A page of rows under one look; pressing a row chooses it."""
    engine = use_engine()
    look, set_look = ft.use_state(Look())
    chosen, set_chosen = ft.use_state(frozenset[int]())
    _, order, descending = ORDERS[look.order]
    width = 210 if use_surroundings().columns > 1 else 320

    async def load() -> Page:
        return await engine.library.rows(
            dataset.id, look.start, SHOWN, by=order, descending=descending, filter=look.filter
        )

    loaded = use_loaded(load, [dataset.id, look])

    def change(**changes: Any) -> None:
        set_look(lambda now: msgspec.structs.replace(now, **{"start": 0, **changes}))

    def toggle(number: int) -> None:
        set_chosen(lambda now: now ^ {number})

    blocks: list[ft.Control] = [_controls(dataset, look, change, width)]
    if loaded.error is not None:
        return ft.Column([*blocks, ErrorCard(unexpected(loaded.error), again=loaded.again)], spacing=S3)
    page = loaded.value
    if page is None:
        blocks.append(loading("Reading the rows"))
    elif not page.rows:
        blocks.append(empty(ft.Icons.SEARCH_OFF, "No row fits.", "Try fewer words, or another finding."))
    else:
        blocks.append(Deeds(dataset, chosen, lambda: set_chosen(lambda _: frozenset())))
        blocks += [_row(each, each.quality.row in chosen, toggle) for each in page.rows]
        blocks.append(_pages(look, page.total, change))
    return ft.Column(blocks, spacing=S3, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def _controls(dataset: Dataset, look: Look, change: Any, width: int) -> ft.Control:
    borne = [each.id for each in dataset.findings if each.id in MARKS]
    findings = [(ANY, "Any finding"), *((each, each.replace("_", " ")) for each in borne)]
    counts = {"": 1, "train": dataset.train_rows, "validation": dataset.validation_rows, "test": dataset.test_rows}
    sides = [(key or ANY, words) for key, words in SIDES.items() if counts[key]]
    orders = [(key, words) for key, (words, _, _) in ORDERS.items()]
    return ft.Row(
        [
            Choice(look.order, orders, lambda key: change(order=key), label="Order", width=width),
            Choice(
                look.finding or ANY,
                findings,
                lambda key: change(finding=_meant(key)),
                label="With the finding",
                width=width,
            ),
            Choice(look.side or ANY, sides, lambda key: change(side=_meant(key)), label="Side", width=width),
            ft.Container(
                TextField(look.words, lambda words: change(words=words), label="With these words"), width=width
            ),
        ],
        spacing=S3,
        run_spacing=S3,
        wrap=True,
    )


def _meant(key: str) -> str:
    return "" if key == ANY else key


@component
def Deeds(dataset: Dataset, chosen: frozenset[int], forget: Any) -> Any:
    """What can be done with the rows that are chosen."""
    engine = use_engine()
    if not chosen:
        return muted("Press rows to choose them; they can then be hidden or deleted.", size=14)

    async def leave_out(do: Any, words: str) -> None:
        made = await engine.library.fix(dataset.id, Step(do=do, rows=tuple(sorted(chosen))))
        forget()
        go(f"/data/{made.id}")
        toast(f"{plural(len(chosen), 'row')} {words}. The version before is kept.")

    async def hide() -> None:
        await leave_out("hide", "hidden")

    async def drop() -> None:
        await leave_out("drop", "deleted")

    count = plural(len(chosen), "row")
    return row(
        Busy(f"Hide {count}", "Hiding", hide, icon=ft.Icons.VISIBILITY_OFF_OUTLINED, main=False),
        Busy(f"Delete {count}", "Deleting", drop, icon=ft.Icons.DELETE_OUTLINE, main=False),
        muted("Hidden rows are not trained on and can come back; each makes a new version.", size=14),
    )


def _row(each: PagedRow, chosen: bool, toggle: Any) -> ft.Control:
    seen = each.quality
    marks: list[ft.Control] = [
        badge(f"−{reason.points:.0f} {reason.finding.replace('_', ' ')}", "warn") for reason in seen.reasons
    ]
    head = row(
        label(f"Row {seen.row:,}"),
        badge(f"{seen.score} points", "good" if not seen.reasons else "plain"),
        muted(f"{seen.characters:,} characters · {SIDES[each.row.split].lower()}"),
        *marks,
    )
    return card(
        ft.Column([head, *words_of(each.row)], spacing=S1, tight=True),
        on_click=lambda: toggle(seen.row),
        selected=chosen,
        padding=12,
        name=f"Row {seen.row}",
    )


def words_of(row_: Row) -> list[ft.Control]:
    """What a row says: what is only read in grey, what is learned beside a purple line, a worse answer struck off."""
    found: list[ft.Control] = []
    if row_.prompt:
        found.append(verbatim(row_.prompt, color=Ink.MUTED, max_lines=3, overflow=ft.TextOverflow.ELLIPSIS))
    found.append(_beside(Ink.PURPLE, row_.answer))
    if row_.rejected:
        worse = row_.rejected[shared_turns(row_.messages, row_.rejected) :]
        said = " ".join(each.content for each in worse)
        found.append(_beside(Ink.RED, f"Worse: {said}", rightward(said)))
    if row_.desired is not None:
        found.append(muted("rated good" if row_.desired else "rated bad"))
    return found


def _beside(color: str, words: str, rtl: bool | None = None) -> ft.Control:
    rtl = rightward(words) if rtl is None else rtl
    return ft.Container(
        verbatim(words, max_lines=4, overflow=ft.TextOverflow.ELLIPSIS, rtl=rtl),
        border=ft.Border.only(left=ft.BorderSide(3, color)),
        padding=ft.Padding.only(left=S2),
    )


def _pages(look: Look, total: int, change: Any) -> ft.Control:
    end = min(total, look.start + SHOWN)
    return ft.Row(
        [
            icon_button(
                ft.Icons.CHEVRON_LEFT,
                "Rows before these",
                lambda: change(start=max(0, look.start - SHOWN)),
                disabled=look.start == 0,
            ),
            muted(f"{look.start + 1:,} to {end:,} of {total:,}", size=14),
            icon_button(
                ft.Icons.CHEVRON_RIGHT,
                "Rows after these",
                lambda: change(start=look.start + SHOWN),
                disabled=end >= total,
            ),
        ],
        tight=True,
    )


@component
def Hidden(dataset: Dataset) -> Any:
    """The rows that are hidden, and the way back."""
    engine = use_engine()
    narrow = use_surroundings().columns == 1
    loaded = use_loaded(lambda: engine.library.hidden(dataset.id, 0, SHOWN), [dataset.id])

    async def show() -> None:
        made = await engine.library.fix(dataset.id, Step(do="show"))
        go(f"/data/{made.id}")
        toast("All rows are in sight again.")

    if loaded.error is not None:
        return ErrorCard(unexpected(loaded.error), again=loaded.again)
    if loaded.value is None:
        return loading("Reading the hidden rows")
    lines: list[ft.Control] = [
        card(
            ft.Column([muted(f"line {each.line:,} of the source"), *words_of(each)], spacing=S1, tight=True), padding=12
        )
        for each in loaded.value
    ]
    if dataset.hidden > len(lines):
        lines.append(muted(f"and {plural(dataset.hidden - len(lines), 'more row')}"))
    count = "Show them again" if narrow else f"Show all {dataset.hidden:,} again"
    return ft.Column(
        [row(Busy(count, "Making a new version", show, icon=ft.Icons.VISIBILITY_OUTLINED, main=False)), *lines],
        spacing=S3,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
