"""Results: answers of the starter model in batches against one-by-one `generate`, the statistics of a large comparison,
and how soon a host answers and takes another adapter on.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import anyio
import anyio.to_thread
import torch

from bench.report import Measure, report
from engine.data.library import import_file
from engine.data.nouns import Message
from engine.data.prepare import prepare
from engine.data.prompting import Prompter
from engine.plan.models import read_base_model, starter_path
from engine.results.statistics import paired_means, with_holm
from engine.runs.launch import create, launch
from engine.serving.host import connect
from engine.spec.answers import Answering
from engine.spec.methods import Lora
from engine.spec.prepared import read_split
from engine.spec.runspec import FORMAT, HostJob, RunSpec
from engine.worker.evaluation import answers_of, questions_of
from engine.worker.generation import grouped
from engine.worker.methods import adapted
from engine.worker.model import load_base

ROWS, LONGEST, AT_ONCE = 96, 64, 32
EXAMPLES, VERSIONS, MEASURES = 10_000, 5, 3
LORA = Lora(rank=8, alpha=16, dropout=0.0, targets=("all-linear",), rate_ratio=1.0)


def generation(place: Path) -> list[Measure]:
    """The held-out rows of the support sample, asked in both ways by the same model with the same settings."""
    torch.set_num_threads(1)  # a model this small is quickest on one
    (place / "datasets").mkdir()
    dataset = import_file(place / "datasets", Path(str(files("assets") / "samples" / "support.csv")))
    header = prepare(place / "datasets" / dataset.id, starter_path(), 256, place / "prepared")
    questions = questions_of(read_split(place / "prepared" / header.hash, "validation"), ROWS)
    prompts = [question.prompt for question in questions]
    model = load_base(read_base_model(starter_path()).ref, "fp32").eval()
    answers_of(model, prompts[:2], max_new_tokens=4, end_tokens=header.end_tokens)  # first calls set things up
    begun = time.perf_counter()
    ours: dict[int, list[int]] = {}
    for group in grouped(model, prompts, AT_ONCE):
        asked = [prompts[i] for i in group]
        said = answers_of(model, asked, max_new_tokens=LONGEST, end_tokens=header.end_tokens)
        ours |= dict(zip(group, said, strict=True))
    together = time.perf_counter() - begun
    begun = time.perf_counter()
    theirs = [one(model, prompt, header.end_tokens) for prompt in prompts]
    alone = time.perf_counter() - begun
    other = sum(ours[i] != theirs[i] for i in range(len(prompts)))
    tokens = sum(map(len, theirs))
    return [
        Measure("generation: one by one, transformers' generate", tokens / alone, "tokens/s"),
        Measure("generation: as an evaluation asks", tokens / together, "tokens/s"),
        Measure("generation: times as fast", alone / together, "x", 3.0, most=False),
        Measure("generation: answers that differ in a token", other, f"of {len(prompts)}", 0.0),
    ]


def one(model: torch.nn.Module, prompt: list[int], ends: tuple[int, ...]) -> list[int]:
    """The library's greedy answer to one prompt."""
    ids = torch.tensor([prompt])
    out = model.generate(  # type: ignore[operator]
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=LONGEST, do_sample=False,
        eos_token_id=list(ends), pad_token_id=ends[0], use_cache=True,
    )  # fmt: skip
    return out[0, len(prompt) :].tolist()


def statistics() -> list[Measure]:
    """Intervals, tests and the correction for every version and measure, examples in common."""
    dice = random.Random(0)
    columns = [[dice.gauss(0.02, 0.3) for _ in range(EXAMPLES)] for _ in range(VERSIONS * (MEASURES - 1))]
    columns += [[float(dice.choice((-1, 0, 0, 1))) for _ in range(EXAMPLES)] for _ in range(VERSIONS)]
    begun = time.perf_counter()
    with_holm(paired_means(columns))
    return [Measure(f"statistics: {EXAMPLES:,} examples, {VERSIONS} versions", time.perf_counter() - begun, "s", 1.0)]


async def host(place: Path) -> list[Measure]:
    """A host of the starter model: its first tokens, and adapters taken on while it holds the base."""
    model = read_base_model(starter_path())
    adapters = [place / f"adapter-{number}" for number in range(4)]
    for number, folder in enumerate(adapters):
        adapted(load_base(model.ref, "fp32"), LORA, number).save_pretrained(folder)  # type: ignore[operator]
    job = HostJob(model=model.ref, adapters=(), precision="fp32", idle_seconds=60.0)
    spec = RunSpec(
        format=FORMAT, id="host", name="host", created=time.time(), threads=1, processes=1,
        priority=0, job=job,
    )  # fmt: skip
    (place / "runs").mkdir()
    folder = create(place / "runs", spec)
    process, _ = launch(folder)
    firsts, swaps = [], []
    try:
        session = await connect(folder, "starter", Prompter(starter_path()))
        async with anyio.create_task_group() as group:
            group.start_soon(session.serve)
            for number, adapter in enumerate(adapters):
                begun = time.perf_counter()
                await session.attach(f"v{number}", adapter)
                swaps.append(time.perf_counter() - begun)
                begun = time.perf_counter()
                short = Answering(max_new_tokens=1)
                async for _ in session.generate((Message("user", "Hello."),), adapter=f"v{number}", answering=short):
                    firsts.append(time.perf_counter() - begun)
            group.cancel_scope.cancel()
    finally:
        process.kill()
        await anyio.to_thread.run_sync(process.wait)
    return [
        Measure("host: taking an adapter on, the first", swaps[0], "s", 0.1),
        Measure("host: taking an adapter on, later ones at most", max(swaps[1:]), "s", 0.1),
        Measure("host: first token, at most", max(firsts), "s", 0.3),
    ]


def main() -> int:
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        return report("results", [*generation(place), *statistics(), *anyio.run(host, place)])


if __name__ == "__main__":
    sys.exit(main())
