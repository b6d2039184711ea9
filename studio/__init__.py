"""The faces of PEFT Studio: terminal, window and served page, and the Flet app that the last two show."""

NAME = "PEFT Studio"
