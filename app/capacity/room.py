"""The blueprint that all pages of this room share."""

from flask import Blueprint

room = Blueprint("capacity", __name__)
