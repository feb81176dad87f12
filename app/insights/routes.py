"""What working together brings: facts for the partner's page, benefit, cost and dependency."""

from flask import Blueprint
from flask.blueprints import BlueprintSetupState

from app.insights.sentences import partner_facts

room = Blueprint("insights", __name__)


@room.record_once
def _tell_rooms_below(state: BlueprintSetupState) -> None:
    """The partner's page lies below us: it asks by name for what only all rooms together tell."""
    state.app.extensions["partner_facts"] = partner_facts
