"""The blueprint that all pages of this room share."""

from flask import Blueprint

room = Blueprint("hours", __name__)
