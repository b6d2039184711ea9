"""A Flet session without Flutter: draw, look, press. Milliseconds per test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import flet as ft
import msgpack
from flet.controls.base_control import BaseControl
from flet.controls.context import _context_page, context
from flet.messaging.connection import Connection
from flet.messaging.protocol import Message, MessageAction, configure_encode_object_for_msgpack
from flet.messaging.session import Session
from flet.pubsub.pubsub_hub import PubSubHub

C = TypeVar("C", bound=BaseControl)


class Client(Connection):
    """What a browser would be: it keeps what was sent, and everything sent must be packable."""

    def __init__(self, route: str = "/", width: int = 1440) -> None:
        super().__init__()
        self.page_url = "http://test"
        self.loop = asyncio.get_running_loop()
        self.executor = ThreadPoolExecutor(1)
        self.pubsubhub = PubSubHub(loop=self.loop, executor=self.executor)
        self.sent: list[Message] = []
        self.session = Session(self)
        self.page = self.session.page
        self.page.route = route
        self.page.web = True
        self.page.width = width
        self.page.height = 900
        self.page.platform_brightness = ft.Brightness.LIGHT
        _context_page.set(cast(Any, self.page))
        context.reset_auto_update()
        self._pack(self.session.get_page_patch())

    def _pack(self, thing: object) -> None:
        msgpack.packb(thing, default=configure_encode_object_for_msgpack(BaseControl))

    def send_message(self, message: Message) -> None:
        self._pack([message.action, message.body])
        self.sent.append(message)
        if message.action is MessageAction.INVOKE_METHOD:  # a client that answers nothing in particular
            self.loop.call_soon(self._reply, message.body)

    def _reply(self, body: Any) -> None:
        if body.control_id in self.session.index:
            if body.name == "push_route":
                route = body.args["route"]
                self.loop.create_task(self.go(route))
            self.session.handle_invoke_method_results(body.control_id, body.call_id, None, None)

    def get_upload_url(self, file_name: str, expires: int) -> str:
        return f"/upload?f={file_name}&e={expires}"

    def dispose(self) -> None:
        self.executor.shutdown(wait=False)

    async def settle(self, turns: int = 12) -> None:
        """Let every scheduled update and effect happen."""
        for _ in range(turns):
            await asyncio.sleep(0)

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        """Wait until it is so; fails with what is on the screen."""
        end = self.loop.time() + seconds
        while not condition():
            if self.loop.time() > end:
                raise AssertionError(f"it did not happen; the screen says {self.words()}")
            await asyncio.sleep(0.01)

    def find(self, kind: type[C], **properties: object) -> list[C]:
        """Controls on the screen of a kind, with these properties, in the order they were made."""
        return [
            control
            for control in list(self.session.index.values())
            if isinstance(control, kind)
            and all(getattr(control, name, None) == value for name, value in properties.items())
            and self._live(control)
        ]

    def _live(self, control: BaseControl) -> bool:
        try:
            return control.page is self.page
        except RuntimeError:
            return False

    def words(self) -> list[str]:
        """Every text on the screen."""
        return [str(each.value) for each in self.find(ft.Text)]

    def says(self, words: str) -> bool:
        """Whether a text with these words is on the screen."""
        return any(words in each for each in self.words())

    async def press(self, words: str) -> None:
        """Click the button, chip or card with these words (its text, label or tooltip)."""
        for kind in (ft.FilledButton, ft.OutlinedButton, ft.TextButton):
            for button in self.find(kind, content=words):
                assert not button.disabled, f"“{words}” is disabled"
                await self.event(button, "click")
                return
        for semantics in self.find(ft.Semantics, label=words):
            await self.event(semantics.content, "click")
            return
        for button in self.find(ft.IconButton, tooltip=words):
            await self.event(button, "click")
            return
        raise AssertionError(f"nothing to press says “{words}”; the screen says {self.words()}")

    async def type(self, hint_or_label: str, words: str) -> None:
        """Type into the field with this label or hint, and leave it."""
        fields = self.find(ft.TextField, label=hint_or_label) or self.find(ft.TextField, hint_text=hint_or_label)
        assert fields, f"no field “{hint_or_label}”"
        task = asyncio.create_task(self.event(fields[0], "change", words))
        await self.settle()
        fields = self.find(ft.TextField, label=hint_or_label) or self.find(ft.TextField, hint_text=hint_or_label)
        await self.event(fields[0], "blur")
        task.cancel()
        await self.settle()

    async def event(self, control: Any, name: str, data: object = None) -> None:
        if isinstance(control, ft.TextField) and isinstance(data, str):
            self.session.apply_patch(control._i, {"value": data})  # the browser tells of the text before the event
        await self.session.dispatch_event(control._i, name, data)
        await self.settle()

    async def scroll(self, box: ft.ListView, pixels: float) -> None:
        """Scroll a list to a place, as a browser tells of it."""
        told = {"pixels": pixels, "min_scroll_extent": 0.0, "max_scroll_extent": 600_000.0, "viewport_dimension": 570.0}
        await self.event(box, "scroll", {"event_type": "update", **told})

    async def go(self, route: str) -> None:
        self.page.route = route
        await self.page._trigger_event("route_change", {"route": route})
        await self.settle()

    def crashed(self) -> list[Message]:
        """Messages that would have covered the app with an error."""
        return [each for each in self.sent if each.action is MessageAction.SESSION_CRASHED]

    def toasts(self) -> list[str]:
        """What small messages said."""
        return [
            str(text.value)
            for bar in self.page._dialogs.controls
            if isinstance(bar, ft.SnackBar) and isinstance(bar.content, ft.Row)
            for text in bar.content.controls
            if isinstance(text, ft.Text)
        ]


async def drawn(component: object) -> Client:
    """A client that shows nothing but this component."""
    client = Client()
    client.page.render(component)  # type: ignore[arg-type]
    await client.settle(20)
    return client
