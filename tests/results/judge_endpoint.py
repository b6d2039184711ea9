"""A judge behind an endpoint: made from the documented contract of chat completions, on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from engine.results.judging import CRITERIA

Reply = tuple[int, dict[str, str], bytes]


def completion(words: str) -> Reply:
    """An answer as the contract has it."""
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "stop"}]}
    return 200, {"content-type": "application/json"}, json.dumps(body).encode()


def stars(first: int, second: int) -> str:
    return json.dumps({"first": dict.fromkeys(CRITERIA, first), "second": dict.fromkeys(CRITERIA, second)})


def fair(asked: dict[str, str]) -> str:
    """Five stars for the reference's own words, two for others."""
    right = [answer == asked["reference"] for answer in (asked["first"], asked["second"])]
    return stars(*(5 if each else 2 for each in right))


class Endpoint:
    """A server that answers each request as told, and remembers what it was sent."""

    def __init__(self, answer: Callable[[dict[str, str], int], Reply]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        times: Counter[str] = Counter()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                endpoint.requests.append(body)
                endpoint.keys.add(self.headers["authorization"])
                asked = json.loads(body["messages"][1]["content"])
                times[body["messages"][1]["content"]] += 1
                status, headers, data = answer(asked, times[body["messages"][1]["content"]])
                if self.path != "/v1/chat/completions":
                    status, headers, data = 404, {}, b"{}"
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):  # a client that no longer waits
                    self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


Serve = Callable[[Callable[[dict[str, str], int], Reply]], Endpoint]


@contextlib.contextmanager
def endpoints() -> Iterator[Serve]:
    """Starts endpoints, each by how it answers, and ends them all."""
    running: list[Endpoint] = []

    def make(answer: Callable[[dict[str, str], int], Reply]) -> Endpoint:
        running.append(Endpoint(answer))
        return running[-1]

    try:
        yield make
    finally:
        for each in running:
            each.server.shutdown()
            each.server.server_close()
