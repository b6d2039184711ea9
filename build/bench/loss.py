"""Memory of the loss at 128,000 words and 4,096 labelled tokens: fused and chunked, against all scores at once.

Each is measured in a process of its own: the peak above what it held before the loss.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from bench.report import Measure, report

TOKENS, WIDTH, VOCABULARY = 4_096, 512, 128_000


def peak() -> int:
    """The highest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def one(kind: str) -> None:
    """Print the bytes that one loss with its backward pass took at the most, and its seconds."""
    import torch

    from engine.worker.loss import loss_sum

    torch.set_num_threads(2)
    torch.manual_seed(0)
    hidden = torch.randn(TOKENS, WIDTH, requires_grad=True)
    weight = torch.randn(VOCABULARY, WIDTH).div_(WIDTH**0.5)
    targets = torch.randint(VOCABULARY, (TOKENS,))
    hidden.grad = torch.zeros_like(hidden)
    before, started = peak(), time.perf_counter()
    if kind == "fused":
        loss_sum(hidden, weight, None, targets).backward()
    else:
        torch.nn.functional.cross_entropy(hidden @ weight.T, targets, reduction="sum").backward()
    print(peak() - before, time.perf_counter() - started)


def measured(kind: str) -> tuple[float, float]:
    words = [sys.executable, "-m", "bench.loss", kind]
    found = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    return float(found[-2]), float(found[-1])


def main() -> int:
    (fused, fused_seconds), (eager, eager_seconds) = measured("fused"), measured("eager")
    return report(
        "loss",
        [
            Measure("fused, peak", fused / 1e6, "MB"),
            Measure("eager, peak", eager / 1e6, "MB"),
            Measure("fused against eager, peak", fused / eager, "", 0.5),
            Measure("fused against eager, time", fused_seconds / eager_seconds, ""),
        ],
    )


if __name__ == "__main__":
    sys.exit(one(sys.argv[1]) if len(sys.argv) > 1 else main())
