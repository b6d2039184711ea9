"""Makes the starter model and the sample datasets from nothing but a seed.

Run `python build/starter_model.py`. It writes `assets/samples/` and `assets/starter/`: text is generated, a tokenizer
and a small Llama are trained on it, and fine-tuning on the samples is measured for the model card. Nothing is
downloaded. It knows nothing of the app; the parts are in `build/starter/`.
"""

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path

import torch
from starter.card import write_card
from starter.corpus import documents
from starter.folder import folder_size, write_folder
from starter.measure import Recipe, Result, measure
from starter.samples import write_samples
from starter.tokenizer import train_tokenizer
from starter.training import Schedule, Shape, new_model, pretrain

ASSETS = Path(__file__).resolve().parent.parent / "assets"
TOKENIZER_DOCUMENTS = 40_000
DATASETS = ("support", "chat", "tickets")


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    out: Path
    seed: int
    steps: int
    minutes: float | None
    threads: int
    samples_only: bool
    splits: int


def main() -> None:
    """Writes the samples, and unless told otherwise trains, measures and describes the model."""
    options = read_options()
    write_samples(options.out / "samples", options.seed)
    print(f"samples written to {options.out / 'samples'}")
    if not options.samples_only:
        torch.set_num_threads(options.threads)
        make_model(options)


def read_options() -> Options:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder for starter/ and samples/ (default: assets)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all text, data and weights")
    parser.add_argument("--steps", type=int, default=1600, help="pre-training steps of 4,096 tokens")
    parser.add_argument("--minutes", type=float, help="pre-train for so long instead; not exactly repeatable")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch; the weights depend on it slightly")
    parser.add_argument("--samples-only", action="store_true", help="write only the sample datasets")
    parser.add_argument("--splits", type=int, default=3, help="how many splits of each dataset to measure; 0 for none")
    return Options(**vars(parser.parse_args()))


def make_model(options: Options) -> None:
    """Trains tokenizer and model, measures fine-tuning on the samples, and writes the model folder."""
    folder, shape = options.out / "starter", Shape()
    # the tokenizer reads other documents than the model, so both seeds differ
    texts = itertools.islice(documents(options.seed + 1), TOKENIZER_DOCUMENTS)
    tokenizer = train_tokenizer(texts, shape.vocabulary, shape.context)
    model = new_model(shape, tokenizer, options.seed)
    outcome = pretrain(model, tokenizer, Schedule(options.seed, options.steps, options.minutes))
    write_folder(model, tokenizer, folder)
    recipe = Recipe()
    results = [report(measure(folder, name, options.seed, split, recipe)) for name, split in measurements(options)]
    write_card(folder, shape, outcome, recipe, results)
    print(f"model written to {folder}, {folder_size(folder) / 1e6:.2f} MB")


def measurements(options: Options) -> list[tuple[str, int]]:
    """Every dataset with every split seed."""
    return list(itertools.product(DATASETS, range(1, options.splits + 1)))


def report(result: Result) -> Result:
    """Prints one measured run and hands it on."""
    print(
        f"{result.dataset} split {result.split_seed}: exact {result.base.exact:.2f} -> {result.tuned.exact:.2f}, "
        f"token F1 {result.base.token_f1:.2f} -> {result.tuned.token_f1:.2f}, {result.seconds:.0f} s",
        flush=True,
    )
    return result


if __name__ == "__main__":
    main()
