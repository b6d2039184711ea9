"""A plan in the terminal: what will happen, what it costs, why each value, and what was noticed."""

from __future__ import annotations

from rich.markup import escape

from engine.plan.planner import Plan
from studio.terminal.datasets import print_findings
from studio.terminal.show import bytes_words, console, seconds_words, table

MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}


def print_plan(plan: Plan) -> None:
    """The whole plan."""
    estimate = plan.estimate
    console.print(f"[bold]{escape(plan.name)}[/]: {plan.total_steps} steps on {escape(estimate.device)}")
    console.print(
        f"time {seconds_words(estimate.seconds_min)} to {seconds_words(estimate.seconds_max)}, "
        f"memory {bytes_words(estimate.memory_peak)} of {bytes_words(estimate.memory_budget)}, "
        f"disk {bytes_words(estimate.disk_bytes)} ({estimate.confidence} confidence)"
    )
    rows = [[each.name, _value(each.value), each.source, escape(each.reason)] for each in plan.values]
    table(("setting", ">value", "from", "because"), rows)
    table(("memory", ">", "because"), [[p.title, bytes_words(p.amount), escape(p.reason)] for p in estimate.memory])
    for check in plan.checks:
        console.print(f"{MARKS[check.state]} {escape(check.title)} [dim]{escape(check.note)}[/]")
    print_findings(plan.findings)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
