"""A judge behind any endpoint that speaks OpenAI's chat completions (POST <base>/chat/completions).

httpx is imported inside. The key is said to the endpoint alone; it is in no error, log or file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import msgspec

from engine.core.errors import RunError
from engine.data.nouns import Message
from engine.results.judging import Judge, NotAnswered, TimedOut

if TYPE_CHECKING:
    import httpx

PATIENCE_SECONDS = 60.0
LONGEST_WAIT = 30.0
LONGEST_ANSWER = 400
BUSY = (408, 409, 425, 429)


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: list[_Choice]


@asynccontextmanager
async def endpoint_judge(
    base: str, model: str, key: str = "", *, patience: float = PATIENCE_SECONDS
) -> AsyncIterator[Judge]:
    """A judge for as long as the context is open. Asking raises NotAnswered, or RunError for what will not change."""
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=base.rstrip("/"), headers=headers, timeout=patience) as client:

        async def ask(messages: tuple[Message, ...]) -> str:
            body = {
                "model": model,
                "messages": [{"role": each.role, "content": each.content} for each in messages],
                "temperature": 0,
                "max_tokens": LONGEST_ANSWER,
            }
            try:
                with anyio.fail_after(patience):  # in all, however slowly the words come
                    answer = await client.post("/chat/completions", json=body)
            except (TimeoutError, httpx.TimeoutException) as error:
                raise TimedOut(f"it did not answer within {patience:g} s") from error
            except httpx.ConnectError as error:
                raise _unreachable(base) from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
                    raise _unreachable(base) from error
                raise NotAnswered(f"the connection broke ({type(error).__name__})") from error
            return await _words(answer, base, model)

        yield ask


async def _words(answer: httpx.Response, base: str, model: str) -> str:
    if answer.status_code in BUSY or answer.status_code >= 500:
        await anyio.sleep(_wait(answer.headers.get("retry-after", "")))
        raise NotAnswered(f"it answered with status {answer.status_code}")
    if answer.status_code in (401, 403):
        raise RunError(
            "The judge refused the key.",
            f"{base} answered {answer.status_code}.",
            "Enter the right key, or put it into the variable that --judge-key names.",
            "Check that the key may use this model.",
        )
    if answer.status_code >= 400:
        raise RunError(
            "The judge cannot be asked.",
            f"{base} answered {answer.status_code}: there may be no model “{model}”, or the address is another.",
            "Check the address (it usually ends in /v1) and the model's name.",
        )
    try:
        return msgspec.json.decode(answer.content, type=_Completion).choices[0].message.content or ""
    except (msgspec.MsgspecError, IndexError) as error:
        kind = answer.headers.get("content-type", "").partition(";")[0][:40] or "something else"
        but = "not of the agreed form" if kind == "application/json" else kind
        raise NotAnswered(f"what it sent is no chat completion, but {but}") from error


def _wait(words: str) -> float:
    """Seconds that the endpoint asks to wait, within reason."""
    try:
        return min(LONGEST_WAIT, max(0.0, float(words)))
    except ValueError:
        return 0.0


def _unreachable(base: str) -> RunError:
    return RunError(
        "The judge does not answer.",
        f"Nothing could be reached at {base}.",
        "Check the address, and that the server runs.",
        "Or judge with a model on this computer.",
    )
