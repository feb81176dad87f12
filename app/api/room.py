"""The blueprint that all addresses of this room share."""

from flask import Blueprint

room = Blueprint("api", __name__)
