"""Makes the sample datasets from `policy.json`: support questions, plant chats, labelled tickets.

An answer is a pure function of what the row is about (product, problem, membership), wording is drawn at random. Each
combination occurs once, so that any split holds out combinations never seen. It knows nothing of the model.
"""

import csv
import io
import json
from dataclasses import dataclass
from itertools import product as pairs
from pathlib import Path
from random import Random

import msgspec

from .corpus import tidy, word_lists
from .grammar import capitalised

POLICY_FILE = Path(__file__).parent / "policy.json"
FOLLOW_UP_SHARE = 1 / 3
SYSTEM_SHARE = 1 / 3
TICKETS_PER_LABEL = 80


class Problem(msgspec.Struct, frozen=True):
    """A problem customers write about, the wordings, and the two sentences it decides."""

    name: str
    opening: str
    remedy: str
    said: list[str]


class SupportPolicy(msgspec.Struct, frozen=True):
    """Problem decides opening and remedy; product family decides team and, with membership, the days."""

    families: dict[str, dict[str, str]]
    closing: dict[str, str]
    opening: dict[str, str]
    problems: list[Problem]
    member: list[str]
    guest: list[str]
    hello: list[str]
    ask: list[str]
    forms: list[str]


class Topic(msgspec.Struct, frozen=True):
    """One thing people ask about a plant."""

    name: str
    asked: list[str]
    answer: str
    short: str


class Season(msgspec.Struct, frozen=True):
    """A season, how people mention it, and the advice it adds."""

    name: str
    asked: list[str]
    advice: str


class PlantGroup(msgspec.Struct, frozen=True):
    """Plants that are cared for in the same way; the other fields are the answer's value for each topic."""

    plants: list[str]
    water: str
    light: str
    soil: str
    feeding: str
    pot: str
    cutting: str


class ChatPolicy(msgspec.Struct, frozen=True):
    """Plant group and topic decide the advice; the season adds a sentence."""

    groups: dict[str, PlantGroup]
    topics: list[Topic]
    seasons: list[Season]
    system: str
    follow_ups: list[tuple[str, str]]
    thanks: str


class TicketPolicy(msgspec.Struct, frozen=True):
    """Wordings for each label."""

    products: list[str]
    labels: dict[str, list[str]]
    hello: list[str]


class Policy(msgspec.Struct, frozen=True):
    """Everything the sample datasets teach."""

    support: SupportPolicy
    chat: ChatPolicy
    tickets: TicketPolicy


@dataclass(frozen=True)
class SupportRow:
    """A customer's message, its reply, and the combination that decides the reply."""

    product: str
    problem: str
    membership: str
    question: str
    answer: str


@dataclass(frozen=True)
class ChatRow:
    """A conversation about a plant as (role, content) pairs, and what it is about."""

    plant: str
    topic: str
    season: str
    messages: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Ticket:
    """A short message and the label it belongs to."""

    text: str
    label: str


def load_policy() -> Policy:
    """Reads the policy file."""
    return msgspec.json.decode(POLICY_FILE.read_bytes(), type=Policy)


def support_rows(seed: int) -> list[SupportRow]:
    """One row for each product, problem and membership, shuffled."""
    policy, rng = load_policy().support, Random(f"support {seed}")
    families = {str(item["name"]): str(item["family"]) for item in _records("shop_item")}
    rows = [
        SupportRow(product, problem.name, club, _question(policy, product, problem, club, rng), answer)
        for product, problem, club in pairs(families, policy.problems, ("member", "guest"))
        for answer in [support_answer(policy, product, families[product], problem, club)]
    ]
    rng.shuffle(rows)
    return rows


def support_answer(policy: SupportPolicy, product: str, family: str, problem: Problem, club: str) -> str:
    """The reply that the policy demands."""
    opening = policy.opening[problem.opening].format(product=product)
    closing = policy.closing[club].format(family=family, days=policy.families[family][club])
    return f"{opening} {problem.remedy} {closing}"


def _question(policy: SupportPolicy, product: str, problem: Problem, club: str, rng: Random) -> str:
    said = rng.choice(problem.said).format(product=product)
    text = rng.choice(policy.forms).format(
        hello=rng.choice(policy.hello),
        said=said,
        Said=capitalised(said),
        club=rng.choice(policy.member if club == "member" else policy.guest),
        ask=rng.choice(policy.ask),
    )
    return tidy(text)


def chat_rows(seed: int) -> list[ChatRow]:
    """One conversation for each plant, topic and season, shuffled."""
    policy, rng = load_policy().chat, Random(f"chat {seed}")
    plants = [(plant, group) for group in policy.groups.values() for plant in group.plants]
    rows = [_chat(policy, *choice, rng) for choice in pairs(plants, policy.topics, policy.seasons)]
    rng.shuffle(rows)
    return rows


def _chat(policy: ChatPolicy, of_group: tuple[str, PlantGroup], topic: Topic, season: Season, rng: Random) -> ChatRow:
    plant, group = of_group
    value = str(msgspec.structs.asdict(group)[topic.name])
    asked, mentioned = rng.choice(topic.asked).format(plant=plant), rng.choice(season.asked)
    question = rng.choice([f"{mentioned} {asked}", f"{asked} {mentioned}"])
    messages = [("user", question), ("assistant", f"{topic.answer.format(plant=plant, value=value)} {season.advice}")]
    if rng.random() < SYSTEM_SHARE:
        messages.insert(0, ("system", policy.system))
    if rng.random() < FOLLOW_UP_SHARE:
        text, kind = rng.choice(policy.follow_ups)
        reply = topic.short.format(value=value) if kind == "short" else policy.thanks.format(plant=plant)
        messages += [("user", text), ("assistant", reply)]
    return ChatRow(plant, topic.name, season.name, tuple(messages))


def ticket_rows(seed: int) -> list[Ticket]:
    """The same number of different messages for each label, shuffled."""
    policy, rng = load_policy().tickets, Random(f"tickets {seed}")
    rows = []
    for label, wordings in policy.labels.items():
        choices = list(pairs(wordings, policy.products))
        for wording, product in rng.sample(choices, TICKETS_PER_LABEL):
            rows.append(Ticket(rng.choice(policy.hello) + wording.format(product=product), label))
    rng.shuffle(rows)
    return rows


def _records(name: str) -> list[dict[str, str]]:
    return [entry for entry in word_lists()[name] if isinstance(entry, dict)]


def support_csv(seed: int) -> str:
    """The support dataset as CSV text; texts with commas, quotes or line breaks are quoted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("question", "answer"))
    writer.writerows((row.question, row.answer) for row in support_rows(seed))
    return text.getvalue()


def chat_jsonl(seed: int) -> str:
    """The plant chats as JSON lines in the `messages` form."""
    lines = (
        json.dumps({"messages": [{"role": role, "content": content} for role, content in row.messages]})
        for row in chat_rows(seed)
    )
    return "".join(f"{line}\n" for line in lines)


def write_samples(out: Path, seed: int) -> None:
    """Writes the three datasets and their README into a folder."""
    import polars  # takes 0.3 s, and only this function needs it

    out.mkdir(parents=True, exist_ok=True)
    (out / "support.csv").write_text(support_csv(seed), encoding="utf-8", newline="\n")
    (out / "chat.jsonl").write_text(chat_jsonl(seed), encoding="utf-8", newline="\n")
    rows = ticket_rows(seed)
    frame = polars.DataFrame({"text": [row.text for row in rows], "label": [row.label for row in rows]})
    frame.write_parquet(out / "tickets.parquet")
    readme = (Path(__file__).parent / "samples_readme.md").read_text(encoding="utf-8")
    (out / "README.md").write_text(readme, encoding="utf-8", newline="\n")
