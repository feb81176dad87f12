"""The software passkey: it signs like a phone, only here, and what it signs binds nobody."""

import io
import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from pypdf import PdfReader

from app.agreements.models import Agreement
from app.agreements.pdf import WATERMARK
from app.config import Config
from app.core.db import Database
from app.core.errors import Conflict, NotAllowed, NotFound
from app.firms.access import Role
from app.notary.models import LedgerHead
from app.notary.queries import evidence_file, export_log
from app.passkeys.documents import DOCUMENTS
from app.practice.people import acting, firm_by_short_name
from app.practice.signing import approve_document, new_practice_passkey, sign_challenge
from app.practice.worlds import practice_config
from tests.ledger.asked import ask_ledger
from tests.practice.visitors import BASE, Site


def test_the_software_passkey_does_not_work_with_the_real_configuration(site: Site) -> None:
    with pytest.raises(RuntimeError, match="practice world only"):
        new_practice_passkey(site.config, "keller")
    with pytest.raises(RuntimeError, match="practice world only"):
        sign_challenge(site.config, "x", b"y" * 32)


def test_the_same_person_has_the_same_key_and_another_secret_another_one(site: Site) -> None:
    own = practice_config(site.config)
    one, again = new_practice_passkey(own, "keller"), new_practice_passkey(own, "keller")
    assert one == again
    assert new_practice_passkey(own, "yilmaz").public_key != one.public_key
    assert new_practice_passkey(_other(own), "keller").public_key != one.public_key


def test_every_log_of_the_practice_world_is_named_as_such(site: Site) -> None:
    with site.database(site.player()).read() as session:
        origins = session.scalars(sa.select(LedgerHead.origin)).all()
    assert len(origins) >= 16
    assert all(origin.startswith("practice/") for origin in origins)


def test_verification_says_that_a_practice_record_binds_nobody(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "beweis.json"
    path.write_bytes(_evidence(site.database(site.player())))
    plainly = ask_ledger("verify", "--plain", str(path))
    assert plainly.returncode == 1
    assert "Übung: bindet niemanden" in plainly.stdout
    allowed = ask_ledger("verify", "--practice", "--plain", str(path))
    assert allowed.returncode == 0, allowed.stdout
    assert "Übung: bindet niemanden" in allowed.stdout


def test_the_pdf_is_sealed_says_on_every_page_that_it_binds_nobody_and_is_checked_without_a_game(site: Site) -> None:
    visitor = site.player()
    with site.database(visitor).read() as session:
        keller = firm_by_short_name(session, "Keller")
        signed = session.scalars(
            sa.select(Agreement.id).where(Agreement.firm_id == keller.id, Agreement.state == "in_force")
        ).first()
    visitor.become("Keller", "manager")
    body = visitor.client.get(f"/uebung/vertraege/{signed}/text.pdf", base_url=BASE).data
    pdf, stranger = PdfReader(io.BytesIO(body)), site.visitor()
    assert b"/SubFilter /ETSI.CAdES.detached" in body
    assert all(WATERMARK in page.extract_text() for page in pdf.pages)
    assert "Übung: Diese Vereinbarung bindet niemanden." in pdf.pages[0].extract_text()
    stranger.open("/uebung/pruefen")
    stranger.tap("/uebung/pruefen", 200, file=(io.BytesIO(body), "vereinbarung.pdf"))
    assert "Alles stimmt. Übung: bindet niemanden." in stranger.words


def test_a_flipped_signature_of_the_software_passkey_is_refused_like_any_other(site: Site, tmp_path: Path) -> None:
    evidence = _evidence(site.database(site.player()))
    signature = re.search(rb'"manager ([A-Za-z0-9_-]{94})"', evidence)
    assert signature is not None
    place = signature.start(1) + 20
    flipped = evidence[:place] + (b"A" if evidence[place : place + 1] != b"A" else b"B") + evidence[place + 1 :]
    path = tmp_path / "beweis.json"
    path.write_bytes(flipped)
    assert ask_ledger("verify", "--practice", str(path)).returncode != 0


def test_the_whole_log_of_a_practice_firm_replays(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "log"
    with site.database(site.player()).read() as session:
        keller = firm_by_short_name(session, "Keller")
        path.write_bytes(b"".join(export_log(session, keller.id)))
    done = ask_ledger("fsck", "--practice", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_signature_needs_the_role_and_the_document(site: Site) -> None:
    player = site.player()
    database, own = site.database(player), site.practice.config
    with database.read() as session:
        signed = session.scalars(sa.select(Agreement).where(Agreement.state == "in_force")).first()
        assert signed is not None
        worker = acting(session, signed.firm_id, Role.WORKER)
        manager = acting(session, signed.firm_id, Role.MANAGER)
        stranger = acting(session, firm_by_short_name(session, "Aydin").id, Role.MANAGER)
        agreement_id = signed.id
    assert "agreement" in DOCUMENTS
    with site.practice.app.test_request_context("/", base_url="http://localhost:8000/uebung"):
        for actor, error in ((worker, (NotAllowed, Conflict)), (stranger, NotFound), (manager, Conflict)):
            with pytest.raises(error):
                approve_document(database, own, actor, "agreement", agreement_id)
        with pytest.raises(NotFound):
            approve_document(database, own, manager, "no such kind", agreement_id)


def test_a_worker_who_posts_the_signature_is_told_whose_it_is(site: Site) -> None:
    visitor = site.player()
    with site.database(visitor).read() as session:
        signed = session.scalars(sa.select(Agreement.id).where(Agreement.state == "in_force")).first()
    visitor.become("Keller", "worker")
    visitor.tap(f"/uebung/unterschrift/agreement/{signed}", 409)
    visitor.tap("/uebung/unterschrift/agreement/unknown", 404)


def _evidence(database: Database) -> bytes:
    with database.read() as session:
        signed = session.scalars(
            sa.select(Agreement).where(Agreement.state == "in_force", Agreement.side == "ours")
        ).first()
        assert signed is not None
        assert signed.entry_seq is not None
        found = evidence_file(session, signed.firm_id, signed.entry_seq, signed.counterpart)
    assert json.loads(found)
    return found


def _other(config: Config) -> Config:
    from dataclasses import replace

    return replace(config, secret_key=b"o" * 32)
