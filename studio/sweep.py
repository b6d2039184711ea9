"""When Python's garbage collector makes a full pass: in a pause, not under somebody's hand.

What presses leave is freed at once (studio/flet_faster.py); a page that is left, with its components and their state,
refers to itself and waits for the collector. A full pass over that and all that stays takes 20 to 100 ms, and Python
makes one whenever enough was made, in the midst of a press.
"""

from __future__ import annotations

import atexit
import functools
import gc

from studio.pace import unused_seconds

PAUSE_SECONDS = 1.5
"""So long nobody pressed anything in any window before a pass is made."""
DUE, AT_LATEST = 10, 30
"""Collections of the middle generation before a full pass is due, as in Python, and after which it waits no longer:
some 200,000 objects."""


@functools.cache
def make_passes_rare() -> None:
    """Once: spare the collector what was imported (it stays anyway), and let a pass that is due wait for a pause."""
    gc.freeze()
    atexit.register(gc.unfreeze)  # what is frozen is never freed, and DuckDB reports that at the end as leaks
    gc.set_threshold(*gc.get_threshold()[:2], AT_LATEST)


def sweep() -> bool:
    """Make the full pass that is due if nobody is at work at this moment; whether one was made."""
    if gc.get_count()[2] < DUE or unused_seconds() < PAUSE_SECONDS:
        return False
    gc.collect()
    return True
