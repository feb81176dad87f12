"""The public page for machines that read it: schema.org as JSON-LD, in a block that no browser runs."""

import json
from typing import Any

from markupsafe import Markup

from app.directory.queries import Entry

ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&' "}
"""No tag can begin in it, and no space that the page would tie for the eye"""


def json_ld(entry: Entry, url: str) -> Markup:
    """What the page says, as an Organization: name, town, processes, certificates."""
    found: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Organization",
        "name": entry.name,
        "url": url,
        "address": {"@type": "PostalAddress", "addressLocality": entry.town, "addressCountry": "DE"},
        "knowsAbout": list(entry.processes),
        "hasCertification": [
            {"@type": "Certification", "name": name, "expires": until.isoformat()} for name, until in entry.certificates
        ],
    }
    # safe: every sign that HTML could take for its own is escaped, the rest is ASCII
    return Markup(json.dumps(found, separators=(",", ":")).translate(ESCAPED))  # noqa: S704
