"""The whole demonstrator network in its order: firms, consent, history, free hours."""

from app.core.db import Database
from app.practice.history import forget_messages, link_partners, play_history
from app.practice.loading import found_firms, load_hours
from app.web.world import config


def fill_network(database: Database) -> None:
    """Fill an empty database; what follows from each commit is settled by the database's own dispatch."""
    firms = found_firms(database)
    link_partners(database, config(), firms)
    play_history(database, config(), firms)
    load_hours(database, firms)
    forget_messages(database)
