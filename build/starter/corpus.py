"""The text the starter model is pre-trained on: endless, generated, simple English; knows nothing of the sample data.

Words, phrases and documents are JSON files beside this module. The rules that the sample datasets teach live in
`policy.json`, which this module never reads; a test holds that none of their sentences appears here.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .grammar import Entry, Filler, Lists, load_lists

HERE = Path(__file__).parent
TURN_START, TURN_END, TEXT_END = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
SYSTEM_SHARE = 0.3
WORD_LISTS = ("word", "codeword", "noun")


@dataclass(frozen=True)
class Kind:
    """One kind of document with its templates."""

    name: str
    weight: float
    texts: tuple[str, ...] = ()
    turns: tuple[tuple[str, ...], ...] = ()
    systems: bool = False
    puzzle: str = ""
    rules: bool = False


def render_chat(messages: list[tuple[str, str]]) -> str:
    """Writes (role, content) pairs as the chat template does; a test compares the two."""
    return "".join(f"{TURN_START}{role}\n{content}{TURN_END}\n" for role, content in messages)


def load_kinds() -> list[Kind]:
    """Reads the kinds of documents."""
    raw = json.loads((HERE / "documents.json").read_text(encoding="utf-8"))
    return [
        Kind(**{**kind, "texts": tuple(kind.get("texts", ())), "turns": tuple(map(tuple, kind.get("turns", ())))})
        for kind in raw
    ]


def documents(seed: int) -> Iterator[str]:
    """Yields documents for ever, the same ones for the same seed."""
    rng = Random(seed)
    lists = load_lists(HERE / "words.json", HERE / "phrases.json")
    kinds = load_kinds()
    weights = [kind.weight for kind in kinds]
    while True:
        kind = rng.choices(kinds, weights)[0]
        filler = Filler(lists, rng)
        for name, entry in PUZZLES[kind.puzzle](rng, filler).items():
            filler.bind(name, "1", entry)
        yield _document(kind, filler, rng)


def _document(kind: Kind, filler: Filler, rng: Random) -> str:
    template = rng.choice([*kind.texts, *kind.turns])
    if isinstance(template, str):
        return filler.fill(template)
    contents = [tidy(filler.fill(turn)) for turn in template]
    roles = ["user", "assistant"] * (len(contents) // 2)
    messages = list(zip(roles, contents, strict=True))
    if kind.rules:
        messages = _with_rules(messages, filler, rng)
    elif rng.random() < (SYSTEM_SHARE if kind.systems else SYSTEM_SHARE / 3):
        messages.insert(0, ("system", filler.fill("{system}")))
    return render_chat(messages)


def tidy(text: str) -> str:
    """Takes away the double spaces that empty phrases leave; line breaks stay."""
    return "\n".join(" ".join(line.split()) for line in text.strip().split("\n"))


def _with_rules(messages: list[tuple[str, str]], filler: Filler, rng: Random) -> list[tuple[str, str]]:
    """States the rules that the answer follows, in a system turn or at the head of the question."""
    rules = filler.fill("{rules#1}")
    if rng.random() < 0.5:
        return [("system", rules), *messages]
    return [(messages[0][0], f"{rules}\n{messages[0][1]}"), *messages[1:]]


def _no_puzzle(_rng: Random, _filler: Filler) -> dict[str, Entry]:
    return {}


def _sum(rng: Random, _filler: Filler) -> dict[str, Entry]:
    left, right = rng.randint(0, 12), rng.randint(0, 12)
    return {
        "left": str(left),
        "right": str(right),
        "sum": str(left + right),
        "larger": str(max(left, right)),
        "smaller": str(min(left, right)),
    }


def _order(rng: Random, _filler: Filler) -> dict[str, Entry]:
    numbers = rng.sample(range(1, 100), rng.randint(3, 5))
    ordered = sorted(numbers)
    return {
        "mixed": ", ".join(map(str, numbers)),
        "sorted": ", ".join(map(str, ordered)),
        "backwards": ", ".join(map(str, reversed(numbers))),
        "first": str(ordered[0]),
        "last": str(ordered[-1]),
    }


def _count(rng: Random, _filler: Filler) -> dict[str, Entry]:
    start = rng.randint(1, 40)
    stop = start + rng.randint(2, 9)
    return {"from": str(start), "to": str(stop), "run": ", ".join(map(str, range(start, stop + 1)))}


def _words(rng: Random, filler: Filler) -> dict[str, Entry]:
    words = [filler.fill("{" + rng.choice(WORD_LISTS) + "}") for _ in range(rng.randint(2, 8))]
    flat = " ".join(words)
    return {
        "words": flat,
        "first": flat.split()[0],
        "last": flat.split()[-1],
        "many": str(len(flat.split())),
        "lines": "\n".join(f"- {word}" for word in words),
    }


def _rule(rng: Random, filler: Filler) -> dict[str, Entry]:
    """Two to four keys with their replies, the asked one among them."""
    count = rng.randint(2, 4)
    keys = [filler.fill(f"{{thing#k{i}}}") for i in range(count)]
    replies = [filler.fill(rng.choice(["{colour} {material}", "{word}", "{room}", "{number} euros"])) for _ in keys]
    lead = rng.choice(
        ["For {key} say {reply}.", "If it is {key}, it is {reply}.", "{key}: {reply}", "{key} means {reply}."]
    )
    asked = rng.randrange(count)
    stated = [lead.format(key=key, reply=reply) for key, reply in zip(keys, replies, strict=True)]
    return {"key": keys[asked], "reply": replies[asked], "rules": rng.choice([" ", "\n"]).join(stated)}


PUZZLES: dict[str, Callable[[Random, Filler], dict[str, Entry]]] = {
    "": _no_puzzle,
    "sum": _sum,
    "order": _order,
    "count": _count,
    "words": _words,
    "rule": _rule,
}


def word_lists() -> Lists:
    """The word lists that the sample data shares with this text (products, plants), without any phrase."""
    return load_lists(HERE / "words.json")
