"""The views of all runs, and which of them still want something: ten thousand at rest cost nothing at every look."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from engine.runs.views import RunView
from engine.spec.records import RunState


class Listing:
    """Every run's newest view by its id, and the state up to which what follows from it has been done."""

    def __init__(
        self, views: Mapping[str, RunView] | None = None, settled: Mapping[str, RunState] | None = None
    ) -> None:
        self._views: dict[str, RunView] = {}
        self._settled = dict(settled or {})
        self._unfinished: set[str] = set()
        self._changed: set[str] = set()
        self._ended: set[str] = set()
        self._order: list[str] | None = None
        self._newest: tuple[RunView, ...] | None = None
        for view in (views or {}).values():
            self.put(view)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._views

    def __getitem__(self, run_id: str) -> RunView:
        return self._views[run_id]

    def put(self, view: RunView) -> None:
        """Keep the newest view of a run."""
        if self._views.get(view.id) == view:
            return
        self._newest = None
        before = self._views.get(view.id)
        if before is None or before.created != view.created:
            self._order = None
        self._views[view.id] = view
        self._sort_out(view)

    def drop(self, run_id: str) -> None:
        """Forget a run."""
        if self._views.pop(run_id, None):
            self._order = self._newest = None
        self._settled.pop(run_id, None)
        self._unfinished.discard(run_id)
        self._changed.discard(run_id)
        self._ended.discard(run_id)

    def settle(self, run_id: str, state: RunState | None) -> None:
        """Note the state of which all that follows is done; none, so that it is done again."""
        if state is None:
            self._settled.pop(run_id, None)
        else:
            self._settled[run_id] = state
        if run_id in self._views:
            self._sort_out(self._views[run_id])

    def settled(self, run_id: str) -> bool:
        """Whether all that follows the run's present state is done."""
        return run_id not in self._changed and run_id not in self._ended

    @property
    def unfinished(self) -> list[RunView]:
        """Those at work and those that wait for it, in no order."""
        return [self._views[run_id] for run_id in self._unfinished]

    @property
    def working(self) -> list[RunView]:
        """Those at work, in no order."""
        return [view for view in self.unfinished if view.state.active]

    @property
    def changed(self) -> list[RunView]:
        """Those at work or waiting in a state that is not settled, in no order."""
        return [self._views[run_id] for run_id in self._changed]

    def ended(self, most: int | None = None) -> list[RunView]:
        """At most so many of those that ended in a state that is not settled, in no order."""
        return [self._views[run_id] for run_id in islice(self._ended, most)]

    def newest_first(self) -> tuple[RunView, ...]:
        """All of them, the newest first; the same tuple until one changes."""
        if self._newest is None:
            if self._order is None:
                self._order = sorted(self._views, key=lambda run_id: -self._views[run_id].created)
            self._newest = tuple(map(self._views.__getitem__, self._order))
        return self._newest

    def _sort_out(self, view: RunView) -> None:
        finished = not view.state.active and view.state is not RunState.CREATED
        settled = self._settled.get(view.id) is view.state
        _belongs(self._unfinished, view.id, not finished)
        _belongs(self._changed, view.id, not settled and not finished)
        _belongs(self._ended, view.id, not settled and finished)


def _belongs(group: set[str], run_id: str, does: bool) -> None:
    group.add(run_id) if does else group.discard(run_id)
