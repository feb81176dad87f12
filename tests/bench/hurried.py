"""The node as `wsgi` opens it, for clients that knock faster than people may."""

from dataclasses import replace

from app import config

_load = config.load_config
config.load_config = lambda: replace(_load(), counts_people=False)

from wsgi import app as app  # noqa: E402
