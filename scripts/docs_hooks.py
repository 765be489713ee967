"""What mkdocs does to each page: roles of docstrings become plain code, options stay whole."""

from __future__ import annotations

import re

ROLE = re.compile(r":(?:class|func|mod|attr|meth|data):<code>~?([^<]+)</code>")
OPTION = re.compile(r"(?<=</span>)--[a-z][a-z-]*")
"""An option in a shown command: it follows a colored blank."""


def on_page_content(html: str, **_: object) -> str:
    """Show the last part of a role's name alone; break no line inside the name of an option."""
    html = ROLE.sub(lambda found: f"<code>{found[1].rsplit('.', 1)[-1]}</code>", html)
    return OPTION.sub(r'<span class="option">\g<0></span>', html)
