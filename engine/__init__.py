"""The engine of PEFT Studio: all but the screens, in plain Python and anyio.

Knows no screen, and no platform by name.
"""
