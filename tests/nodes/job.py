"""The main job over nodes at the level of actions: Keller on the first node asks, partners on others answer and sign."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from app.agreements.actions import approve_agreement, draft_agreements, signable_digest
from app.agreements.models import Agreement
from app.core import clock
from app.core.holidays import holidays_near
from app.federation.models import StoredFile
from app.firms.access import Role
from app.notary.queries import evidence_file
from app.offers.actions import answer_yes
from app.plans.actions import choose_plan, solve_plans
from app.plans.models import Plan
from app.requests.actions import Details, Upload, attach_file, publish_request, save_details, start_draft
from app.requests.rules import RequestKind, ShortageReason, default_reply_by
from tests.nodes.world import Node, approval, settle_all
from tests.requests.story import NEED

PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"


def ask(
    asker: Node,
    partner_ids: Sequence[str],
    need_min: int = 100 * 60,
    key: str = "keller",
    file: bytes = PDF,
    first_week: str = NEED.first_week,
    name: str = "gehaeuse.pdf",
    **told: object,
) -> str:
    """Publish a request with a drawing to these partners; `told` replaces what it says."""
    actor = asker.actor(key)
    need = replace(NEED, need_min=need_min, first_week=first_week)
    details = Details(
        shortage_reason=ShortageReason.CAPACITY,
        reply_by=default_reply_by(clock.now(), holidays_near(clock.today())),
        partner_ids=tuple(partner_ids),
        title=f"Gehäuse {key}",
        customer=f"Kunde {key}",
        contact_name="Petra",
        contact_phone="03677 123",
    )
    details = replace(details, **told)  # type: ignore[arg-type]
    with asker.database.write() as session:
        request_id = start_draft(session, actor, RequestKind.HOURS, need)
        save_details(session, actor, request_id, need, details)
        if file:
            attach_file(session, actor, request_id, Upload(name, file))
            for stored in session.scalars(sa.select(StoredFile).where(StoredFile.firm_id == actor.firm_id)):
                stored.is_clean = True
        publish_request(session, actor, request_id)
    return request_id


def answer(provider: Node, key: str, request_id: str) -> str:
    """The provider's foreman says yes to what was shown."""
    firm = provider.firms[key]
    with provider.database.write() as session:
        return answer_yes(session, firm.id, firm.people[Role.FOREMAN], request_id)


def plan(asker: Node, request_id: str, key: str = "keller") -> str:
    """The cheapest plan over what was offered, chosen by the manager."""
    actor = asker.actor(key)
    solve_plans(asker.database, actor.firm_id, request_id)
    with asker.database.write() as session:
        plan_id = session.scalars(
            sa.select(Plan.id).where(Plan.firm_id == actor.firm_id, Plan.request_id == request_id)
        ).first()
        assert plan_id is not None
        choose_plan(session, actor, plan_id, True)
    return plan_id


def draft(asker: Node, plan_id: str, key: str = "keller") -> list[str]:
    with asker.database.write() as session:
        return draft_agreements(session, asker.actor(key), plan_id)


def sign(node: Node, key: str, agreement_id: str) -> None:
    """The manager reads and signs."""
    actor = node.actor(key)
    with node.database.read() as session:
        digest, role = signable_digest(session, actor, agreement_id)
        signature = approval(session, node, key, digest, role)
    with node.database.write() as session:
        approve_agreement(session, actor, agreement_id, signature)


def agreement(node: Node, key: str, agreement_id: str) -> Agreement:
    with node.database.read() as session:
        found = session.get_one(Agreement, (node.firm_id(key), agreement_id))
        session.expunge(found)
        return found


def evidence(node: Node, key: str, agreement_id: str) -> bytes:
    with node.database.read() as session:
        row = session.get_one(Agreement, (node.firm_id(key), agreement_id))
        assert row.entry_seq is not None
        return evidence_file(session, node.firm_id(key), row.entry_seq, row.counterpart)


def verified(body: bytes, folder: Path) -> int:
    """The exit code of `python -m ledger verify`."""
    path = folder / "beweis.json"
    path.write_bytes(body)
    done = subprocess.run([sys.executable, "-m", "ledger", "verify", str(path)], capture_output=True, check=False)
    return done.returncode


def play(
    nodes: Sequence[Node], providers: Sequence[tuple[Node, str]], need_min: int = 100 * 60
) -> dict[str, tuple[Node, str]]:
    """From shortage to signatures on every side; returns who provides each agreement."""
    asker = nodes[0]
    partner_ids = [asker.partner_id("keller", node.address(key)) for node, key in providers]
    request_id = ask(asker, partner_ids, need_min)
    settle_all(nodes)
    for node, key in providers:
        answer(node, key, request_id)
    settle_all(nodes)
    by_partner = dict(zip(partner_ids, providers, strict=True))
    signed = {}
    for agreement_id in draft(asker, plan(asker, request_id)):
        signed[agreement_id] = by_partner[agreement(asker, "keller", agreement_id).partner_id]
        sign(asker, "keller", agreement_id)
    settle_all(nodes)
    for agreement_id, (node, key) in signed.items():
        sign(node, key, agreement_id)
        settle_all(nodes)
    return signed
