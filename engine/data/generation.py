"""The `{% generation %}` block that some chat templates have: here it only passes on what is inside it."""

from __future__ import annotations

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser


class GenerationBlock(Extension):
    """Accepts `{% generation %} … {% endgeneration %}`; where the answer stands is found by comparing renderings."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 asks for a set here

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The nodes inside the block."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)
