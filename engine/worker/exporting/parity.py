"""The parity certificate: the same prompts through the trained model and the artefact, and why they differ if they do.

Numbers are compared with what the artefact's format explains; a first token or an answer that parts from the trained
one counts as equal where the trained model itself was undecided within that error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec
import torch
from tokenizers import Tokenizer

from engine.spec.exports import Certificate, Check, Exchange, Mismatch, Probe
from engine.spec.runspec import ExportJob
from engine.worker.exporting.listening import Artefact, Facts, Heard

ALLOWED = {"fp32": 0.002, "fp16": 0.01, "f16": 0.01, "bf16": 0.04, "q8_0": 0.1, "q5_k_m": 0.5, "q4_k_m": 0.8}
"""Largest root mean square difference of the scores, as a share of their own spread, that each format explains."""
SUMS = {"fp32": 0.002, "f16": 0.01, "bf16": 0.04}
"""What sums in a runtime's own number format add to that; where weights have 8 bits or fewer, so have the sums."""
EIGHT_BIT_SUMS = 0.08
SMALLEST = 1e-6
"""The error of sums in fp32 themselves."""
FURTHEST = 4 * 2**0.5
"""How many times the typical error the difference of two scores may be off: one in ten thousand is."""


def certify(
    job: ExportJob,
    trained: Sequence[Heard],
    artefact: Artefact,
    tokenizer: Tokenizer,
    allowed: float,
    after: Callable[[int], None],
    notes: tuple[str, ...] = (),
) -> Certificate:
    """Ask the artefact and compare. `allowed` is the distance of scores that the number formats explain."""
    facts = artefact.facts()
    prompts = [artefact.prompt(_asked(job, probe)) for probe in job.probes]
    heard = []
    for number, probe in enumerate(job.probes, start=1):
        heard.append(artefact.listen(probe.tokens, job.answer_tokens, job.prompting.end_tokens))
        after(number)
    distances = [distance(ours, theirs) for ours, theirs in zip(trained, heard, strict=True)]
    exchanges = [
        _exchange(probe, ours, theirs, tokenizer)
        for probe, ours, theirs in zip(job.probes, trained, heard, strict=True)
    ]
    checks = (
        _prompt_check(job.probes, prompts),
        _vocabulary_check(facts, tokenizer),
        _end_check(facts, job, tokenizer),
        _template_check(facts, job),
        _distance_check(distances, allowed),
        *_answer_checks(exchanges, trained, max(distances)),
    )
    mismatches = causes(job, facts, prompts, checks)
    return Certificate(
        form=job.form,
        quant=job.quant,
        runtime=artefact.runtime,
        prompts=len(job.probes),
        passed=all(check.passed for check in checks),
        verdict=_verdict(checks, mismatches, exchanges, artefact.runtime),
        checks=checks,
        mismatches=mismatches,
        exchanges=tuple(exchanges),
        notes=notes,
        made=time.time(),
    )


def _asked(job: ExportJob, probe: Probe) -> Probe:
    """The probe as the runtime gets it; where the template writes today's date, the text with the date of training."""
    return Probe(turns=(), text=probe.text, tokens=probe.tokens) if job.prompting.frozen_date else probe


def allowed_for(expected: float, format: str) -> float:
    """The distance a runtime may have: that of the weights as they are in the file, and what its own sums add."""
    return 1.5 * expected + SUMS.get(format, EIGHT_BIT_SUMS)


def distance(ours: Heard, theirs: Heard) -> float:
    """Root mean square difference of the first token's scores, each centred, as a share of the trained ones' spread."""
    shared = min(ours.scores.shape[1], theirs.scores.shape[1])
    first, second = (each.scores[0, :shared] - each.scores[0, :shared].mean() for each in (ours, theirs))
    return ((first - second).pow(2).mean().sqrt() / first.pow(2).mean().sqrt().clamp(min=1e-12)).item()


def _exchange(probe: Probe, ours: Heard, theirs: Heard, tokenizer: Tokenizer) -> Exchange:
    split = next((i for i, (a, b) in enumerate(zip(ours.answer, theirs.answer, strict=False)) if a != b), None)
    margin = None
    if split is not None:
        scores = ours.scores[split]
        margin = (scores[ours.answer[split]] - scores[theirs.answer[split]]).item()
    return Exchange(
        prompt=probe.turns[-1].content if probe.turns else probe.text,
        trained=tokenizer.decode(ours.answer),
        exported=tokenizer.decode(theirs.answer),
        first_equal=ours.answer[0] == theirs.answer[0],
        split_at=split,
        margin=margin,
    )


def _prompt_check(probes: Sequence[Probe], prompts: Sequence[tuple[int, ...]]) -> Check:
    equal = sum(probe.tokens == prompt for probe, prompt in zip(probes, prompts, strict=True))
    words = f"{equal} of {len(probes)} prompts are cut into the same tokens."
    return Check(name="prompt tokens", passed=equal == len(probes), words=words, measured=equal, allowed=len(probes))


def _vocabulary_check(facts: Facts, tokenizer: Tokenizer) -> Check:
    changed = changed_token(facts, tokenizer)
    return Check(name="vocabulary", passed=not changed, words=changed or f"{len(facts.tokens):,} tokens, none changed.")


def changed_token(facts: Facts, tokenizer: Tokenizer) -> str:
    """The first token that is another one in the artefact; empty when none is."""
    for text, number in sorted(tokenizer.get_vocab().items(), key=lambda each: each[1]):
        found = facts.tokens.get(number)
        if found != text:
            return (
                f"Token {number} is {found!r}, and was {text!r}." if found is not None else f"Token {number} is gone."
            )
    return ""


def _end_check(facts: Facts, job: ExportJob, tokenizer: Tokenizer) -> Check:
    end = job.prompting.end_tokens[0]
    named = tokenizer.id_to_token(end)
    ends = ", ".join(repr(facts.tokens.get(each, each)) for each in sorted(facts.ends)) or "none"
    passed = end in facts.ends
    words = f"Answers end with {named!r}." if passed else f"Training ended answers with {named!r}; here: {ends}."
    return Check(name="end token", passed=passed, words=words)


def _template_check(facts: Facts, job: ExportJob) -> Check:
    passed = job.prompting.template in ("", facts.template)
    words = "It is the one that the model was trained with." if passed else "It is not the trained one."
    return Check(name="chat template", passed=passed, words=words if job.prompting.template else "None was used.")


def _distance_check(distances: Sequence[float], allowed: float) -> Check:
    worst = max(distances)
    words = f"Scores of the first token are off by {100 * worst:.2f} % of their spread at most."
    return Check(name="score distance", passed=worst <= allowed, words=words, measured=worst, allowed=allowed)


def _answer_checks(exchanges: Sequence[Exchange], trained: Sequence[Heard], apart: float) -> tuple[Check, Check]:
    """First tokens and whole answers; they may part where the trained model was undecided within the error."""
    spread = [heard.scores[0].std().item() for heard in trained]
    clear = [
        each.margin is not None and each.margin > FURTHEST * max(apart, SMALLEST) * size
        for each, size in zip(exchanges, spread, strict=True)
    ]
    first = sum(each.first_equal for each in exchanges)
    same = sum(each.split_at is None for each in exchanges)
    wrong_first = sum(bad and not each.first_equal for bad, each in zip(clear, exchanges, strict=True))
    count = len(exchanges)
    return (
        Check(
            name="first token",
            passed=not wrong_first,
            words=f"{first} of {count} answers begin with the same token{_excused(count - first - wrong_first)}.",
            measured=first,
            allowed=count,
        ),
        Check(
            name="answers",
            passed=not any(clear),
            words=f"{same} of {count} answers are the same to their end{_excused(count - same - sum(clear))}.",
            measured=same,
            allowed=count,
        ),
    )


def _excused(count: int) -> str:
    return f"; {count} part where the trained model was undecided within the error" if count else ""


def causes(
    job: ExportJob, facts: Facts, prompts: Sequence[tuple[int, ...]], checks: Sequence[Check]
) -> tuple[Mismatch, ...]:
    """Why the artefact differs, the root first: what follows from another cause is not named again."""
    failed = {check.name: check.words for check in checks if not check.passed}
    found: list[Mismatch] = []
    if "vocabulary" in failed:
        found.append(Mismatch(cause="changed vocabulary", words=failed["vocabulary"]))
    if "chat template" in failed:
        gone = not facts.template
        words = "The artefact has no chat template, so prompts arrive bare." if gone else failed["chat template"]
        found.append(Mismatch(cause="missing template" if gone else "changed template", words=words))
    if "prompt tokens" in failed and (begin := _doubled(job, facts, prompts)):
        found.append(Mismatch(cause="double begin token", words=begin))
    elif "prompt tokens" in failed and not found:
        found.append(Mismatch(cause="changed prompt", words=failed["prompt tokens"]))
    if "end token" in failed:
        found.append(Mismatch(cause="wrong end token", words=failed["end token"]))
    if "score distance" in failed:
        found.append(Mismatch(cause="changed weights", words=failed["score distance"]))
    elif not found and failed:
        found.append(Mismatch(cause="changed answers", words=" ".join(failed.values())))
    return tuple(found)


def _doubled(job: ExportJob, facts: Facts, prompts: Sequence[tuple[int, ...]]) -> str:
    """What the runtime does where it adds a begin token that training never saw."""
    begin = facts.begin
    pairs = [(probe.tokens, prompt) for probe, prompt in zip(job.probes, prompts, strict=True)]
    if begin is None or not all(prompt == (begin, *tokens) for tokens, prompt in pairs):
        return ""
    again = all(tokens[:1] == (begin,) for tokens, _ in pairs)
    named = repr(facts.tokens.get(begin, begin))
    if again:
        return f"The runtime puts {named} before the one that the template has written already."
    return f"The runtime begins every prompt with {named}, which training never did."


def _verdict(
    checks: Sequence[Check], mismatches: Sequence[Mismatch], exchanges: Sequence[Exchange], runtime: str
) -> str:
    same = sum(each.split_at is None for each in exchanges)
    count = len(exchanges)
    if not mismatches and all(check.passed for check in checks):
        if same == count:
            return f"It answers like the trained model: {count} prompts, {runtime}."
        return (
            "It answers like the trained model as closely as its number format allows: "
            f"{same} of {count} answers are the same to their end, {runtime}."
        )
    return "It does not answer like the trained model. " + " ".join(each.words for each in mismatches)


def with_checks(certificate: Certificate, more: Sequence[tuple[Check, Mismatch]]) -> Certificate:
    """The certificate with further checks, each with the mismatch that it shows when it fails."""
    checks = (*certificate.checks, *(check for check, _ in more))
    named = {each.cause for each in certificate.mismatches}
    found = [mismatch for check, mismatch in more if not check.passed and mismatch.cause not in named]
    mismatches = (*certificate.mismatches, *found)
    return msgspec.structs.replace(
        certificate,
        checks=checks,
        mismatches=mismatches,
        passed=all(check.passed for check in checks),
        verdict=_verdict(checks, mismatches, certificate.exchanges, certificate.runtime),
    )


def coarser(one: str, other: torch.dtype) -> str:
    """The format of the two that rounds more."""
    names = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
    return max(one, names[other], key=lambda name: ALLOWED[name])
