"""The page that asks for a name and a password: plain HTML without scripts, light or dark, readable from 320 px."""

from __future__ import annotations

import base64
import functools
import hashlib
from html import escape

from studio.theme import CONTRAST, DARK, LIGHT, Palette

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · PEFT Studio</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>PEFT Studio</h1>
<p>Sign in to go on.</p>
{problem}<form method="post" action="/login">
<input type="hidden" name="next" value="{next}">
<label for="name">Name</label>
<input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false" \
maxlength="64" required{first}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="512" required{second}>
<button>Sign in</button>
</form>
<p class="quiet">No account yet? Whoever runs PEFT Studio makes one on that machine:
<code>peft-studio account set NAME</code></p>
</main>
</body>
</html>
"""
LAYOUT = """
*{box-sizing:border-box}
body{margin:0;font:16px/1.5 Inter,system-ui,sans-serif;background:var(--background);color:var(--text)}
main{max-width:400px;margin:0 auto;padding:48px 16px}
h1{font-size:24px;line-height:1.3;margin:0}
p{margin:8px 0 24px}
label{display:block;margin:16px 0 4px;font-weight:600}
input,button{width:100%;font:inherit;min-height:44px;padding:8px 12px;border-radius:4px}
input{background:var(--raised);color:var(--text);border:1px solid var(--field)}
button{margin-top:24px;border:1px solid var(--action);background:var(--action);color:var(--on-action);font-weight:600}
input:focus-visible,button:focus-visible{outline:3px solid var(--fill);outline-offset:2px}
[role=alert]{margin:0 0 16px;padding:12px;border-radius:4px;background:var(--red-tint);color:var(--on-red-tint)}
.quiet{margin-top:32px;color:var(--secondary);font-size:14px}
code{overflow-wrap:anywhere}
"""
TOKENS = (
    "background",
    "raised",
    "text",
    "secondary",
    "field",
    "fill",
    "action",
    "on_action",
    "red_tint",
    "on_red_tint",
)


@functools.cache
def style() -> str:
    """The page's only style sheet, from the app's own tokens; as the system is, light, dark or high contrast."""
    dark = f"@media (prefers-color-scheme:dark){{{_colors(DARK)}}}"
    more = f"@media (prefers-contrast:more){{{_colors(CONTRAST)}}}"
    return f"{_colors(LIGHT)}{dark}{more}{LAYOUT}"


def _colors(palette: Palette) -> str:
    return ":root{" + "".join(f"--{name.replace('_', '-')}:{getattr(palette, name)};" for name in TOKENS) + "}"


def page(*, problem: str = "", name: str = "", next: str = "/") -> bytes:
    """The page; `problem` says why the last try did not succeed, `next` is where to go afterwards."""
    alert = f'<p role="alert">{escape(problem)}</p>\n' if problem else ""
    first, second = ("", " autofocus") if name else (" autofocus", "")
    filled = PAGE.format(style=style(), problem=alert, next=escape(next), name=escape(name), first=first, second=second)
    return filled.encode()


@functools.cache
def policy() -> str:
    """No script, no picture, nothing of another origin: only this style sheet, and a form that goes to this page."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{digest}'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
