"""What a judge's ratings add to an evaluation: means by criterion, tested by ranks, and how far the judge is trusted.

Heavy (numpy): call `with_judge` in a spawned process.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.results.agreement import Agreement, Rated, agreement
from engine.results.evaluation import Evaluation, Example, decided_anew
from engine.results.judging import Chosen, Judge, Judgement, Told, Trouble, checked, judge_all
from engine.results.measured import HIGH, LOW, Judged, JudgedBy
from engine.results.statistics import ratings
from engine.results.versions import Version, Versions

MIDDLE = (LOW + HIGH) / 2
"""Stars from which an answer counts as good, as a thumb up does."""
MOST_RATED = 100
"""Rated questions of the playground that a judge is asked too, the newest."""


async def judge_version(
    versions: Versions,
    version: Version,
    evaluation: Evaluation,
    judge: Judge,
    chosen: Chosen,
    rated: Sequence[Rated] = (),
    told: Told = lambda done, total: None,
) -> Evaluation:
    """Have a version's evaluation judged and keep it so; what was judged before is not asked again.

    `rated` is what the user rated of this version, the newest first: the judge is asked about it too, so that it can be
    compared with the user. Raises StudioError when the judge cannot be used; what it had said until then is kept.
    """
    from anyio import to_process

    kept = versions.folder(version) / "judgements" / f"{evaluation.run}.jsonl"
    asked = rated[:MOST_RATED]
    examples = (*evaluation.examples, *(_example(each, row) for row, each in enumerate(asked)))
    trouble = Trouble()
    found = await judge_all(examples, judge, checked(chosen), kept, told, trouble)
    own, others = found[: len(evaluation.examples)], found[len(evaluation.examples) :]
    if not any(own):
        raise trouble.card()
    judged = await to_process.run_sync(with_judge, evaluation, chosen, own, cancellable=True)
    judged = _with_more(judged, agreed(asked, others), trouble.why)
    versions.keep_evaluation(version, judged)
    return judged


def _example(rated: Rated, row: int) -> Example:
    """A rated question as an example; it has no reference, and is in no evaluation."""
    return Example(
        row=row,
        prompt=rated.prompt,
        reference="",
        base=rated.base,
        tuned=rated.tuned,
        base_match=False,
        tuned_match=False,
        base_f1=0.0,
        tuned_f1=0.0,
    )


def agreed(rated: Sequence[Rated], judgements: Sequence[Judgement | None]) -> Agreement | None:
    """The judge beside the user's thumbs on the same answers; None when there are none of these."""
    verdicts = [
        (stars >= MIDDLE, up)
        for each, judgement in zip(rated, judgements, strict=True)
        if judgement is not None
        for stars, up in zip(judgement.overall, (each.base_up, each.tuned_up), strict=True)
        if up is not None
    ]
    return agreement(verdicts)


def _with_more(evaluation: Evaluation, found: Agreement | None, why: str) -> Evaluation:
    assert evaluation.judged
    why = why if evaluation.judged.not_judged else ""
    judged = msgspec.structs.replace(evaluation.judged, agreement=found, why=why)
    return msgspec.structs.replace(evaluation, judged=judged)


def with_judge(evaluation: Evaluation, chosen: Chosen, said: Sequence[Judgement | None]) -> Evaluation:
    """The evaluation with the judge's part, decided anew: without judgements as if it had never been judged."""
    judgements = [each for each in said if each is not None]
    missing = len(evaluation.examples) - len(judgements)
    if not judgements:
        return decided_anew(evaluation, Judged(judge=chosen.called, examples=0, not_judged=missing))
    names = ("overall", *chosen.criteria)
    sides = [[_sides(each, name) for each in judgements] for name in names]
    criteria = tuple(
        JudgedBy(
            criterion=name,
            base=sum(before for before, _ in each) / len(each),
            tuned=sum(after for _, after in each) / len(each),
            difference=ratings([after - before for before, after in each]),
        )
        for name, each in zip(names, sides, strict=True)
    )
    judged = Judged(
        judge=chosen.called,
        examples=len(judgements),
        not_judged=missing,
        criteria=criteria,
        flipped=sum(each.flipped for each in judgements) / len(judgements),
    )
    return decided_anew(evaluation, judged)


def _sides(judgement: Judgement, name: str) -> tuple[float, float]:
    return judgement.overall if name == "overall" else judgement.by(name)
