"""A firm leaves one node and goes on at another, as its operators would do it."""

from pathlib import Path

from app.firms.access import Role
from app.moving.exporting import leave_node, write_archive
from app.moving.importing import import_firm
from app.moving.rules import MOVE
from app.notary.keys import use_node_key
from app.notary.transfer import words_of
from app.partners.actions import invite_partner, propose_partnership
from app.partners.queries import invitation_token
from app.requests.actions import ask_question
from app.worker import run_until_quiet
from tests.nodes.world import Node, settle_all, sign_framework

TRANSFER_KEY = bytes(range(64, 96))


def pack(old: Node, new: Node, key: str, folder: Path) -> Path:
    """`flask export --move --to`: from here on the firm rests at its old node."""
    run_until_quiet(old.database)
    leave_node(old.database, old.firm_id(key), new.config.node)
    path = folder / f"{key}.tar.gz"
    with path.open("wb") as file:
        write_archive(
            old.database, old.firm_id(key), file, TRANSFER_KEY, folder, kind=MOVE, node=old.config.node
        )  # fmt: skip
    return path


def unpack(archive: Path, old: Node, new: Node, key: str, folder: Path) -> None:
    """`flask import`: its people are at the new node now."""
    use_node_key(new.config.node_key)
    import_firm(new.database, archive, words_of(TRANSFER_KEY), new.config.node_key, folder, new.config.node)
    new.firms[key], new.passkeys[key] = old.firms[key], old.passkeys[key]


def move(old: Node, new: Node, key: str, folder: Path) -> None:
    unpack(pack(old, new, key, folder), old, new, key, folder)


def link_here(node: Node, one: str, other: str) -> None:
    """Two firms of one node become partners."""
    with node.database.write() as session:
        invitation_id = invite_partner(session, node.actor(one))
        token = invitation_token(session, node.firm_id(one), invitation_id)
        propose_partnership(session, node.actor(other), token)
    settle_all([node])
    sign_framework(node, one, node.address(other))
    settle_all([node])
    sign_framework(node, other, node.address(one))
    settle_all([node])


def ask_about(node: Node, key: str, request_id: str, text: str) -> None:
    """The foreman of a firm that was asked wants to know something."""
    with node.database.write() as session:
        ask_question(session, node.firms[key].actor(Role.FOREMAN), request_id, text)
