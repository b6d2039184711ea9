"""What a judge's ratings add to an evaluation: means by criterion, tested by ranks, and how far the judge is trusted.

Heavy (numpy): call `with_judge` in a spawned process.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.results.evaluation import Evaluation, Judged, JudgedBy, scores_with
from engine.results.judging import CRITERIA, HIGH, LOW, Judge, Judgement, Told, judge_all
from engine.results.metrics.words import normalised
from engine.results.statistics import ratings, with_holm
from engine.results.versions import Version, Versions

MIDDLE = (LOW + HIGH) / 2


class Thumb(msgspec.Struct, frozen=True, kw_only=True):
    """A thumb that the user gave an answer."""

    prompt: str
    answer: str
    up: bool


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How often judge and user meant the same, and Cohen's kappa: 0 is chance, 1 always."""

    answers: int
    share: float
    kappa: float


async def judge_version(
    versions: Versions, version: Version, evaluation: Evaluation, judge: Judge, called: str, told: Told
) -> Evaluation:
    """Have a version's evaluation judged and keep it so; what was judged before is not asked again.

    Raises StudioError when the judge cannot be used; what it had said until then is kept.
    """
    from anyio import to_process

    kept = versions.folder(version) / "judgements" / f"{evaluation.run}.jsonl"
    judgements = await judge_all(evaluation, judge, called, kept, told)
    judged = await to_process.run_sync(with_judge, evaluation, called, judgements, cancellable=True)
    versions.keep_evaluation(version, judged)
    return judged


def with_judge(evaluation: Evaluation, judge: str, judgements: Sequence[Judgement]) -> Evaluation:
    """The evaluation with the judge's part, and scores that rest on it too. Without judgements it says that only."""
    missing = len(evaluation.examples) - len(judgements)
    if not judgements:
        return msgspec.structs.replace(evaluation, judged=Judged(judge=judge, examples=0, not_judged=missing))
    names = ("overall", *CRITERIA)
    sides = [[_sides(each, name) for each in judgements] for name in names]
    tested = with_holm([ratings([after - before for before, after in each]) for each in sides])
    criteria = tuple(
        JudgedBy(
            criterion=name,
            base=sum(before for before, _ in each) / len(each),
            tuned=sum(after for _, after in each) / len(each),
            difference=paired,
        )
        for name, each, paired in zip(names, sides, tested, strict=True)
    )
    judged = Judged(
        judge=judge,
        examples=len(judgements),
        not_judged=missing,
        criteria=criteria,
        flipped=sum(each.flipped for each in judgements) / len(judgements),
    )
    return scores_with(evaluation, judged, _share(criteria[0].base), _share(criteria[0].tuned))


def _sides(judgement: Judgement, name: str) -> tuple[float, float]:
    return judgement.overall if name == "overall" else judgement.by(name)


def _share(stars: float) -> float:
    return (stars - LOW) / (HIGH - LOW)


def agreement(evaluation: Evaluation, judgements: Sequence[Judgement], thumbs: Sequence[Thumb]) -> Agreement | None:
    """The judge beside the user's thumbs on the same answers; None when there are none of these."""
    by_row = {each.row: each for each in judgements}
    stars: dict[tuple[str, str], float] = {}
    for example in evaluation.examples:
        if judgement := by_row.get(example.row):
            for answer, value in zip((example.base, example.tuned), judgement.overall, strict=True):
                stars[normalised(example.prompt), normalised(answer)] = value
    pairs = [(stars[key] >= MIDDLE, thumb.up) for thumb in thumbs if (key := _place(thumb)) in stars]
    if not pairs:
        return None
    share = sum(mine == yours for mine, yours in pairs) / len(pairs)
    ups = [sum(side) / len(pairs) for side in zip(*pairs, strict=True)]
    by_chance = ups[0] * ups[1] + (1 - ups[0]) * (1 - ups[1])
    kappa = (share - by_chance) / (1 - by_chance) if by_chance < 1 else float(share == 1)
    return Agreement(answers=len(pairs), share=share, kappa=kappa)


def _place(thumb: Thumb) -> tuple[str, str]:
    return normalised(thumb.prompt), normalised(thumb.answer)
