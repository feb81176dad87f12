"""A firm renews its keys while a partner's node is away: what comes after is believed along the chain of keys alone."""

import copy
import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.core import clock
from app.core.errors import WerkringError
from app.core.ids import new_id
from app.federation.arriving import receive_keys
from app.firms.access import Role
from app.notary.messaging import MessageKey
from app.notary.models import PartnerKeys
from app.notary.queries import key_document, passkey_kid
from app.notary.rotation import PURPOSES, plan_key
from app.passkeys.firm_keys import rotate_key, rotate_record
from app.passkeys.key_records import append_key_record, register_record, revoke_record
from app.passkeys.models import Passkey
from tests.nodes.apart import nodes_on_disk
from tests.nodes.hostile import Attacker, knock_on
from tests.nodes.job import agreement, evidence, play, verified
from tests.nodes.silence import received, write
from tests.nodes.world import Node, approval, link, partnership, settle_all
from tests.passkeys.software import SoftwarePasskey

KELLER = "keller@eins.test"


def renew(node: Node, key: str, purpose: str) -> None:
    """As on the page about the firm's keys: planned, then confirmed by a manager's passkey."""
    actor = node.actor(key)
    with node.database.write() as session:
        plan_key(session, actor.firm_id, purpose, actor.person_id, node.config.node_key)
        record = rotate_record(session, actor.firm_id, purpose)
        rotate_key(session, actor, purpose, approval(session, node, key, record.digest))


def change_phone(node: Node, key: str) -> None:
    """The manager gets a new passkey, approved by the old one, and locks the old one with it."""
    fresh = SoftwarePasskey(rp_id=node.config.rp_id, origin=node.config.origin)
    with node.database.write() as session:
        old, new = (passkey_row(node, key, one) for one in (node.passkeys[key], fresh))
        old.registered_seq = 0
        session.add_all([old, new])
        session.flush()
        record = register_record(session, new)
        seq = append_key_record(session, new, record, approval(session, node, key, record.digest))
        node.passkeys[key], node.passkey_seqs[key] = fresh, seq
        old.revoked_at = clock.now()
        record = revoke_record(session, old)
        append_key_record(session, old, record, approval(session, node, key, record.digest))


def passkey_row(node: Node, key: str, passkey: SoftwarePasskey) -> Passkey:
    firm = node.firms[key]
    return Passkey(
        firm_id=firm.id, id=new_id(), created_at=clock.now(), person_id=firm.people[Role.MANAGER], name="Handy",
        credential_id=passkey_kid(passkey.cose).hex(), public_key=passkey.cose, user_handle="", sign_count=0,
        origin=passkey.origin,
    )  # fmt: skip


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[Node]]:
    with nodes_on_disk(tmp_path, [["keller"], ["yilmaz"]]) as nodes:
        link(nodes[0], "keller", nodes[1], "yilmaz")
        yield nodes


def test_a_partner_that_was_away_believes_the_new_keys_by_the_chain_of_keys(pair: list[Node], tmp_path: Path) -> None:
    one, two = pair
    yilmaz, thief = one.partner_id("keller", two.address("yilmaz")), Attacker.at(one, "keller", two, "yilmaz")
    before = document_at(two)
    two.is_cut = True
    write(one, "keller", yilmaz, range(2))
    for purpose in (*PURPOSES, "log"):
        renew(one, "keller", purpose)
    change_phone(one, "keller")
    write(one, "keller", yilmaz, range(2, 4))
    settle_all([one])
    two.is_cut = False
    with clock.frozen(clock.now() + dt.timedelta(hours=1)):
        settle_all(pair)
        # 1. all came, in order, and the new keys with it
        assert received(two) == list(range(4))
        assert len(document_at(two)["keys"]) == len(before["keys"]) + len(PURPOSES) + 3
        # 2. who kept the old key of our messages is nobody any more; an old document brings it back to nobody
        receive_keys(two.database, two.address("yilmaz"), before)
        assert knock_on(two, thief.valid(thief.envelope()))[0] == 401
        # 3. what the new phone and the new seal sign binds both
        (agreement_id,) = play(pair, [(two, "yilmaz")], need_min=40 * 60)
        for node, key in ((one, "keller"), (two, "yilmaz")):
            assert agreement(node, key, agreement_id).state == "in_force"
            assert verified(evidence(node, key, agreement_id), tmp_path) == 0


def test_a_key_that_no_older_key_vouches_for_is_refused(pair: list[Node]) -> None:
    one, two = pair
    known, thief = document_at(two), Attacker.at(one, "keller", two, "yilmaz")
    renew(one, "keller", "log")
    real, strange = own_document(one, "keller"), own_document(two, "yilmaz")
    other = copy.deepcopy(real)
    other["keys"][-1]["evidence"]["message"]["publicKey"] = f"0x{'11' * 32}"
    forged = [
        other,
        real | {"keys": real["keys"][:-1]},
        real | {"keys": [*real["keys"][:-1], strange["keys"][0]]},
        real | {"checkpoint": strange["checkpoint"]},
        real | {"message": strange["message"]},
        strange | {"address": real["address"], "origin": real["origin"]},
    ]
    for document in forged:
        with pytest.raises(WerkringError):
            receive_keys(two.database, two.address("yilmaz"), document)
    # a key that nobody vouches for signs nothing, under whatever name
    fresh = Ed25519PrivateKey.generate()
    for kid in (thief.key.kid, fresh.public_key().public_bytes_raw().hex()[:16]):
        stranger = replace(thief, key=MessageKey(kid, fresh))
        assert knock_on(two, stranger.valid(stranger.envelope()))[0] == 401
    assert document_at(two) == known
    assert partnership(two, "yilmaz", KELLER).state == "active"


def own_document(node: Node, key: str) -> dict[str, Any]:
    with node.database.read() as session:
        return key_document(session, node.firm_id(key))


def document_at(node: Node) -> dict[str, Any]:
    """What Yilmaz knows of Keller's keys."""
    with node.database.read() as session:
        row = session.get_one(PartnerKeys, (node.firm_id("yilmaz"), node.partner_id("yilmaz", KELLER)))
        return dict(row.document)
