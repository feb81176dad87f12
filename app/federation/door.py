"""The room's blueprint."""

from flask import Blueprint

room = Blueprint("federation", __name__)
