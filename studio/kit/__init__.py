"""The design system: what every page is made of. Pages use these and never raw Flet buttons or fields, so that no
exception of a handler or a component can reach Flet (it would freeze the window or cover it with an error).

Knows nothing of the engine but its error cards.
"""

from studio.kit.blocks import CodeBlock, Diff
from studio.kit.buttons import Busy, danger, icon_button, link, primary, quiet, secondary
from studio.kit.cards import (
    badge,
    beside,
    card,
    card_with_tools,
    chip,
    color_key,
    columns,
    divider,
    dot,
    fact,
    panel_title,
    row,
    section,
)
from studio.kit.fields import Choice, NumberField, Search, Switch, TextField
from studio.kit.guard import act, component, toast
from studio.kit.later import Below, loading
from studio.kit.meters import bar, meter, ring
from studio.kit.speech import answer, pieces, said
from studio.kit.states import ErrorCard, empty, notice
from studio.kit.table import figures
from studio.kit.terms import Explained, glossed, termed, use_tip
from studio.kit.text import (
    body,
    captioned,
    code,
    heading,
    label,
    muted,
    name_title,
    number,
    one_line,
    rightward,
    title,
    verbatim,
)
from studio.kit.words import (
    ago,
    amount,
    duration,
    duration_range,
    gigabytes,
    named,
    percent,
    plural,
    share_words,
    short,
)

__all__ = [
    "Below",
    "Busy",
    "Choice",
    "CodeBlock",
    "Diff",
    "ErrorCard",
    "Explained",
    "NumberField",
    "Search",
    "Switch",
    "TextField",
    "act",
    "ago",
    "amount",
    "answer",
    "badge",
    "bar",
    "beside",
    "body",
    "captioned",
    "card",
    "card_with_tools",
    "chip",
    "code",
    "color_key",
    "columns",
    "component",
    "danger",
    "divider",
    "dot",
    "duration",
    "duration_range",
    "empty",
    "fact",
    "figures",
    "gigabytes",
    "glossed",
    "heading",
    "icon_button",
    "label",
    "link",
    "loading",
    "meter",
    "muted",
    "name_title",
    "named",
    "notice",
    "number",
    "one_line",
    "panel_title",
    "percent",
    "share_words",
    "pieces",
    "plural",
    "primary",
    "quiet",
    "rightward",
    "ring",
    "row",
    "said",
    "secondary",
    "section",
    "short",
    "termed",
    "title",
    "toast",
    "use_tip",
    "verbatim",
]
