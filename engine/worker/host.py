"""The model host: one base model in memory, any number of adapters on it, answers streamed over a local socket.

One line of JSON per message (engine.spec.answers), on 127.0.0.1, behind a key that only readers of the run's folder
know. Several answers run at once: each gets a token in turn, and the adapter is switched in between, so that base and
tuned stream side by side from one copy of the weights. The host leaves after its idle time.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import socket
import threading
import time
from collections.abc import Iterator

import msgspec
import psutil
import torch
from torch import nn

from engine.spec.answers import BASE, Ask, Attach, Call, Cancel, Endpoint, Hello, Said
from engine.spec.exits import Exit
from engine.spec.files import write_struct
from engine.spec.folder import RunFolder
from engine.spec.records import RunState
from engine.spec.runspec import AdapterRef, HostJob
from engine.worker.control import ControlFile, Wish
from engine.worker.evaluation import load_whole
from engine.worker.fault import fault_from
from engine.worker.generation import Sampling, generate
from engine.worker.model import attach, computing, load_base, ready_to_attach, using
from engine.worker.products import quicken
from engine.worker.reporter import Reporter

log = logging.getLogger(__name__)
IDLE_LOOK_SECONDS = 0.1


class Client:
    """One connection: lines in are handed to the host's queue, lines out are written whole."""

    def __init__(self, connection: socket.socket, key: str, calls: queue.Queue[tuple[Client, Call]]) -> None:
        self._connection = connection
        self._key = key
        self._calls = calls
        self._lock = threading.Lock()
        self.gone = False

    def serve(self) -> None:
        """Read lines until the client leaves; the first must be the key."""
        decoder = msgspec.json.Decoder(Call)
        try:
            with self._connection.makefile("rb") as lines:
                first = decoder.decode(lines.readline(1_000) or b"{}")
                if not (isinstance(first, Hello) and secrets.compare_digest(first.key, self._key)):
                    return
                for line in lines:
                    self._calls.put((self, decoder.decode(line)))
        except (OSError, msgspec.MsgspecError) as error:
            log.info("a client left: %s", error)
        finally:
            self.gone = True
            self._connection.close()

    def say(self, said: Said) -> None:
        """Send one line; a client that is gone is remembered as gone."""
        try:
            with self._lock:
                self._connection.sendall(msgspec.json.encode(said) + b"\n")
        except OSError:
            self.gone = True


class Speech:
    """One answer in the making."""

    def __init__(self, client: Client, ask: Ask, tokens: Iterator[list[int | None]]) -> None:
        self.client = client
        self.ask = ask
        self.tokens = tokens
        self.started = time.perf_counter()
        self.first: float | None = None
        self.count = 0

    def figures(self) -> tuple[float, float]:
        """Seconds to the first token, and tokens per second after it."""
        now = time.perf_counter()
        first = self.first if self.first is not None else now
        return first - self.started, (self.count - 1) / (now - first) if self.count > 1 and now > first else 0.0


class Host:
    """The program: accept clients in threads, compute in this one."""

    def __init__(self, job: HostJob, folder: RunFolder, reporter: Reporter, control: ControlFile) -> None:
        self.job = job
        self.folder = folder
        self.reporter = reporter
        self.control = control
        self.calls: queue.Queue[tuple[Client, Call]] = queue.Queue()
        self.speeches: list[Speech] = []
        self.whole: dict[str, nn.Module] = {}
        self.names: list[str] = []
        self.process = psutil.Process(os.getpid())

    def run(self) -> Exit:
        """Load, listen, answer, and leave when idle. Raises Fault when the model cannot be loaded."""
        self.model = quicken(load_base(self.job.model, self.job.precision, self.job.quantization).eval())
        self.device = next(self.model.parameters()).device
        ready_to_attach()
        for adapter in self.job.adapters:
            self._attach(adapter)
        listener = socket.create_server(("127.0.0.1", 0))
        key = secrets.token_urlsafe(24)
        threading.Thread(target=self._accept, args=(listener, key), daemon=True).start()
        endpoint = Endpoint(port=listener.getsockname()[1], key=key, pid=os.getpid())
        write_struct(self.folder.endpoint_file, endpoint)
        self.folder.endpoint_file.chmod(0o600)
        self.reporter.enter(RunState.RUNNING)
        try:
            return self._work()
        finally:
            self.folder.endpoint_file.unlink(missing_ok=True)
            listener.close()

    def _accept(self, listener: socket.socket, key: str) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Client(connection, key, self.calls).serve, daemon=True).start()

    def _work(self) -> Exit:
        busy = time.monotonic()
        while True:
            if self.control.look():
                return Exit.STOPPED if self.control.wish is Wish.STOP else Exit.PAUSED
            self._take_calls(wait=not self.speeches)
            if self.speeches:
                busy = time.monotonic()
                for speech in list(self.speeches):
                    self._next_token(speech)
            elif time.monotonic() - busy > self.job.idle_seconds:
                self.reporter.event("finished", "Idle; the model left memory.")
                return Exit.COMPLETED

    def _take_calls(self, *, wait: bool) -> None:
        try:
            client, call = self.calls.get(timeout=IDLE_LOOK_SECONDS) if wait else self.calls.get_nowait()
        except queue.Empty:
            return
        try:
            self._serve(client, call)
        except Exception as error:  # noqa: BLE001 - one bad call must not take the model from everybody
            self._refuse(client, call, error)

    def _serve(self, client: Client, call: Call) -> None:
        match call:
            case Ask():
                self._begin(client, call)
            case Attach():
                started = time.perf_counter()
                self._attach(AdapterRef(name=call.name, path=call.path, whole=call.whole))
                client.say(self._state(call.id, swap_seconds=time.perf_counter() - started))
            case Cancel():
                self.speeches = [speech for speech in self.speeches if speech.ask.id != call.id]
            case Hello():
                client.say(self._state(""))

    def _state(self, call_id: str, swap_seconds: float = 0.0) -> Said:
        return Said(
            id=call_id,
            done=True,
            memory=self.process.memory_info().rss,
            adapters=list(self.names),
            swap_seconds=swap_seconds,
        )

    def _attach(self, adapter: AdapterRef) -> None:
        if adapter.name in self.names:
            return
        if adapter.whole:
            self.whole[adapter.name] = load_whole(adapter, self.job.precision)
        else:
            self.model = attach(self.model, adapter)
        self.names.append(adapter.name)

    def _begin(self, client: Client, ask: Ask) -> None:
        if ask.adapter != BASE and ask.adapter not in self.names:
            client.say(Said(id=ask.id, done=True, error=f"No adapter is named {ask.adapter}. Loaded: {self.names}."))
            return
        sampling = Sampling(
            temperature=ask.temperature,
            top_p=ask.top_p,
            top_k=ask.top_k,
            repetition_penalty=ask.repetition_penalty,
            seed=ask.seed,
        )
        tokens = generate(
            self.whole.get(ask.adapter, self.model),
            [ask.tokens],
            max_new_tokens=ask.max_new_tokens,
            end_tokens=ask.end_tokens,
            sampling=sampling,
        )
        self.speeches.append(Speech(client, ask, tokens))

    def _next_token(self, speech: Speech) -> None:
        name = speech.ask.adapter
        adapter = None if name == BASE else name
        model = self.whole.get(name, self.model)
        try:
            with (
                torch.no_grad(),
                using(model, adapter if name not in self.whole else None),
                computing(self.job.precision, self.device),
            ):
                step = next(speech.tokens, None)
        except Exception as error:  # noqa: BLE001 - nor one bad answer
            self.speeches.remove(speech)
            self._refuse(speech.client, speech.ask, error)
            return
        token = step[0] if step else None
        ended = token is None or token in speech.ask.end_tokens
        if token is not None:
            speech.count += 1
            speech.first = speech.first or time.perf_counter()
        self._tell(speech, [] if ended or token is None else [token], ended)

    def _tell(self, speech: Speech, tokens: list[int], ended: bool) -> None:
        ended = ended or speech.count >= speech.ask.max_new_tokens
        first, rate = speech.figures()
        speech.client.say(
            Said(
                id=speech.ask.id,
                tokens=tokens,
                done=ended,
                first_token_seconds=first,
                tokens_per_second=rate,
                memory=self.process.memory_info().rss if ended else 0,
            )
        )
        if ended or speech.client.gone:
            self.speeches.remove(speech)

    def _refuse(self, client: Client, call: Call, error: Exception) -> None:
        log.error("a call failed", exc_info=error)
        if isinstance(call, Ask | Attach):
            card = fault_from(error, "Answering").card
            client.say(Said(id=call.id, done=True, error=f"{card.what} {card.why}"))
