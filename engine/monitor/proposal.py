"""What a run asks a person: the card that is shown, the changes behind it, and the step it would go back to."""

from __future__ import annotations

import msgspec

from engine.monitor.recovery import Change
from engine.spec.records import Card


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """`proposal.json`, written by the worker. Accepted with a resume, it is carried out before the first step."""

    attempt: int
    card: Card
    changes: tuple[Change, ...]
    roll_back_to: int | None
