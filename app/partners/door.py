"""The room's blueprint."""

from flask import Blueprint

room = Blueprint("partners", __name__)
