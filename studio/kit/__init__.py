"""The design system: what every page is made of. Pages use these and never raw Flet buttons or fields, so that no
exception of a handler or a component can reach Flet (it would freeze the window or cover it with an error).

Knows nothing of the engine but its error cards.
"""

from studio.kit.buttons import Busy, danger, icon_button, link, primary, quiet, secondary
from studio.kit.cards import badge, card, chip, columns, divider, dot, fact, panel_title, row, section
from studio.kit.fields import Choice, NumberField, Search, Switch, TextField
from studio.kit.guard import act, component, toast
from studio.kit.meters import bar, meter, ring
from studio.kit.states import ErrorCard, empty, loading, notice
from studio.kit.text import body, captioned, code, heading, label, muted, number, title
from studio.kit.words import ago, amount, duration, duration_range, gigabytes, percent, plural, short

__all__ = [
    "Busy",
    "Choice",
    "ErrorCard",
    "NumberField",
    "Search",
    "Switch",
    "TextField",
    "act",
    "ago",
    "amount",
    "badge",
    "bar",
    "body",
    "captioned",
    "card",
    "chip",
    "code",
    "columns",
    "component",
    "danger",
    "divider",
    "dot",
    "duration",
    "duration_range",
    "empty",
    "fact",
    "gigabytes",
    "heading",
    "icon_button",
    "label",
    "link",
    "loading",
    "meter",
    "muted",
    "notice",
    "number",
    "panel_title",
    "percent",
    "plural",
    "primary",
    "quiet",
    "ring",
    "row",
    "secondary",
    "section",
    "short",
    "title",
    "toast",
]
