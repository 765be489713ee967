"""What mkdocs does to each page: the roles of docstrings (``:class:`X```) become plain code."""

from __future__ import annotations

import re

ROLE = re.compile(r":(?:class|func|mod|attr|meth|data):<code>~?([^<]+)</code>")


def on_page_content(html: str, **_: object) -> str:
    """Show the last part of a name alone, as the role says."""
    return ROLE.sub(lambda found: f"<code>{found[1].rsplit('.', 1)[-1]}</code>", html)
