"""Every form after which somebody else may sit at this phone tells the scripts to forget the person (static/js/app.js)."""

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[2] / "templates"
FORMS = re.compile(r"<form\b[^>]*?action=\"(?:[^\"]*)\"[^>]*>|ui\.formular\([^\n]*?\) %\}")
ENDS_A_PERSON = (
    "passkeys.sign_out'", "passkeys.sign_out_device'", "passkeys.join_without'", "practice.join'", "practice.begin'",
    "practice.begin_story'", "practice.start_again'", "practice.be_person'", "practice.leave'", "practice.end_story'",
    "guide.url",
)  # fmt: skip


@pytest.mark.parametrize("what", ENDS_A_PERSON)
def test_whoever_leaves_or_changes_the_person_leaves_no_copy_behind(what: str) -> None:
    pages = [path.read_text() for path in TEMPLATES.rglob("*.html")]
    found = [form for text in pages for form in FORMS.findall(text) if what in form.replace('"', "'")]
    assert found
    assert [form for form in found if "data-abmelden" not in form] == []
