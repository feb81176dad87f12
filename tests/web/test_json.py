"""Deep JSON never reaches the parser."""

import json

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from app.web.json import MOST_DEPTH, BoundedJson, depth_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def nesting(value: object) -> int:
    if isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max((nesting(item) for item in inner), default=0)
    return 0


@given(VALUES)
def test_the_depth_of_any_document_is_counted_as_it_is(value: object) -> None:
    assert depth_of(json.dumps(value).encode()) == nesting(value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1)])
def test_deep_brackets_are_refused_before_they_are_read(text: str) -> None:
    with pytest.raises(BadRequest):
        BoundedJson(Flask("x")).loads(text)


def test_a_usual_body_is_read() -> None:
    assert BoundedJson(Flask("x")).loads('{"a": ["[[[[", {"b": "\\"]"}]}') == {"a": ["[[[[", {"b": '"]'}]}
