"""The room's blueprint."""

from flask import Blueprint

room = Blueprint("directory", __name__)
