"""The terminal's own drawing: progress, tables, cards, chat. The commands themselves are in studio/cli.py."""
