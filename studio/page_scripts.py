"""What index.html carries besides Flet's own: small scripts of the served page, each for one thing that Flutter or Flet
does otherwise. The gate puts them in and allows exactly them.
"""

from __future__ import annotations

BLOCK_FOREIGN_SCRIPTS = """<script>
(() => {
  const own = Object.getOwnPropertyDescriptor(HTMLScriptElement.prototype, "src");
  Object.defineProperty(HTMLScriptElement.prototype, "src", {
    ...own,
    set(value) {
      const url = new URL(String(value), document.baseURI);
      if (url.origin === location.origin) own.set.call(this, value);
    },
  });
})();
</script>"""
"""With no_cdn Flet's page still asks a public host for the Rive runtime. A script element whose address is never set
neither loads nor fails, so that nothing leaves the machine and nothing is reported as an error."""

OWN_KEYS = ("Ctrl+P", "Ctrl+Shift+P", "Ctrl+K", "Ctrl+S", "Ctrl+B", "F1")
"""Keys of the app that browsers take for printing, saving, bookmarks or help. Firefox keeps Ctrl+Shift+P."""
KEEP_KEYS = f"""<script>
(() => {{
  const own = new Set({list(OWN_KEYS)});
  window.addEventListener("keydown", (event) => {{
    const letter = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    const held = [(event.ctrlKey || event.metaKey) && "Ctrl", event.altKey && "Alt", event.shiftKey && "Shift"];
    if (own.has([...held.filter(Boolean), letter].join("+"))) event.preventDefault();
  }}, true);
}})();
</script>"""

BACK_TO_LOGIN = """<script>
window.WebSocket = class extends WebSocket {
  constructor(...words) {
    super(...words);
    this.addEventListener("close", (event) => {
      if (event.code === 4401) location.assign("/login?next=" + encodeURIComponent(location.pathname));
    });
  }
};
</script>"""
"""A page whose visit has ended asks for the password, and then comes back to the same place."""

BEGIN_AGAIN = """<script>
(() => {
  const read = () => document.querySelector("flt-semantics-host flt-semantics");
  let before = null;
  window.WebSocket = class extends WebSocket {
    constructor(...words) {
      super(...words);
      this.addEventListener("open", (event) => {
        if (before?.readyState > WebSocket.OPEN) {
          event.stopImmediatePropagation();
          if (read()) sessionStorage.setItem("read", "yes");
          location.reload();
        }
        before = this;
      });
    }
  };
  if (sessionStorage.getItem("read")) {
    sessionStorage.removeItem("read");
    const watch = new MutationObserver(() => {
      const button = document.querySelector("flt-semantics-placeholder");
      if (button) { watch.disconnect(); button.click(); }
    });
    watch.observe(document, {childList: true, subtree: true});
  }
})();
</script>"""
"""A connection that was lost comes back by itself, and Flet then puts the whole page in anew. The client of Flet 1.0.5
takes from half a minute to ten doing that, in which the tab stands still. Loading the page anew takes a second: it
comes back to the same place, and is read out again where it was."""


FETCH_EARLY = """<script>
if (navigator.vendor === "Google Inc." && window.WebAssembly) {
  for (const path of ["/main.dart.wasm", "/canvaskit/skwasm.wasm"]) {
    const link = document.createElement("link");
    Object.assign(link, {rel: "preload", as: "fetch", crossOrigin: "anonymous", href: path});
    document.head.append(link);
  }
}
</script>"""
"""Browsers with Chromium's engine run the client as WebAssembly: its eight megabytes come beside the first scripts."""


def scripts(*, login: bool) -> str:
    """All that belong into a page; `login` where it is behind a password."""
    return "\n".join((FETCH_EARLY, BLOCK_FOREIGN_SCRIPTS, KEEP_KEYS, BEGIN_AGAIN, *((BACK_TO_LOGIN,) if login else ())))
