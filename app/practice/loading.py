"""Filling an empty database with the demonstrator network, through the same actions and importers that firms use."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.capacity.imports import apply_hours, check_hours
from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.units import BERLIN
from app.core.words import N_
from app.firms.access import Actor, Role
from app.firms.actions import FirmFacts, add_closure, add_person, set_calendar
from app.firms.queries import sites
from app.machines.actions import CertificateDraft, save_certificate, verify_certificate
from app.machines.imports import apply_machines, check_machines
from app.machines.tables import read_table
from app.passkeys.founding import Founder, confirm_recovery_sheet, found_firm, plan_ledger
from app.practice.data_files import rows, table_bytes
from app.practice.people import acting
from app.practice.signing import new_practice_passkey, sign_challenge
from app.web.world import config as world_config

FOUNDED_AT = dt.datetime(2026, 2, 2, 9, 0, tzinfo=BERLIN)
JOINED_AT = dt.datetime(2026, 3, 2, 10, 0, tzinfo=BERLIN)
COUNTED_AT = dt.datetime(2026, 11, 13, 14, 0, tzinfo=BERLIN)
"""The Friday before the story: everybody has just told the free hours of the next twelve weeks."""


class BadData(Exception):
    """A file of the network that an importer refuses: it names the file and the first wrong cell."""


@dataclass(frozen=True, slots=True)
class DemoFirm:
    """One loaded firm under the key that all files use."""

    key: str
    id: str
    manager: Actor


def found_firms(database: Database) -> dict[str, DemoFirm]:
    """All firms with ledgers, people, calendars, machines and certificates, as they stood in spring; by key."""
    staff = list(rows("people"))
    firms = {}
    with clock.frozen(FOUNDED_AT):
        for row in rows("firms"):
            own = [person for person in staff if person["betrieb"] == row["schluessel"]]
            with database.write() as session:
                firms[row["schluessel"]] = _found(session, world_config(), row, own)
    with clock.frozen(JOINED_AT):
        for firm in firms.values():
            with database.write() as session:
                _load_machines(session, firm)
        _load_certificates(database, firms)
    return firms


def load_hours(database: Database, firms: dict[str, DemoFirm]) -> None:
    """The free hours of the twelve weeks from KW 47 on, as each firm's own table has them."""
    with clock.frozen(COUNTED_AT):
        for firm in firms.values():
            with database.write() as session:
                name = f"hours_{firm.key}"
                found = check_hours(session, firm.id, read_table(table_bytes(name), f"{name}.csv"))
                _refuse_faults(name, found)
                apply_hours(session, firm.id, found, firm.manager.person_id)


def _found(session: Session, config: Config, row: dict[str, str], staff: list[dict[str, str]]) -> DemoFirm:
    facts = FirmFacts(
        name=row["name"],
        short_name=row["kurz"],
        legal_form=row["rechtsform"],
        register_court="Übungsgericht",
        register_no=row["register"],
        vat_id=row["ust_id"],
        street=row["strasse"],
        postcode=row["plz"],
        town=row["ort"],
    )
    boss, *others = staff
    founder = Founder(boss["name"], f"leitung@{row['schluessel']}.example", boss["sprache"])
    passkey = new_practice_passkey(config, row["schluessel"])
    ledger = plan_ledger(session, config, facts, passkey)
    parts = sign_challenge(config, passkey.credential_id, ledger.digest)
    founded = found_firm(session, config, facts, founder, passkey, ledger, parts, N_("Übungs-Handy"), is_demo=True)
    confirm_recovery_sheet(session, founded.firm_id)
    for person in others:
        roles = [Role(word) for word in person["rollen"].split()]
        email = f"{roles[0]}@{row['schluessel']}.example"
        add_person(session, founded.firm_id, person["name"], roles, person["sprache"], email, "03677 0000")
    session.flush()
    manager = acting(session, founded.firm_id, Role.MANAGER)
    _set_calendar(session, manager, row)
    return DemoFirm(row["schluessel"], founded.firm_id, manager)


def _set_calendar(session: Session, manager: Actor, row: dict[str, str]) -> None:
    site = sites(session, manager.firm_id)[0]
    minutes = [int(word) for word in row["schicht_min"].split()]
    set_calendar(session, manager, site.id, minutes, int(row["ohne_personal_h"]) * 60, False)
    if row["zu_von"]:
        first, last = dt.date.fromisoformat(row["zu_von"]), dt.date.fromisoformat(row["zu_bis"])
        add_closure(session, manager, site.id, first, last, row["zu_grund"])


def _load_machines(session: Session, firm: DemoFirm) -> None:
    name = f"machines_{firm.key}"
    found = check_machines(session, firm.id, read_table(table_bytes(name), f"{name}.csv"))
    _refuse_faults(name, found)
    apply_machines(session, firm.id, found, firm.manager.person_id)


def _load_certificates(database: Database, firms: dict[str, DemoFirm]) -> None:
    for row in rows("certificates"):
        manager = firms[row["betrieb"]].manager
        draft = CertificateDraft(
            row["zertifikat"],
            row["nummer"],
            dt.date.fromisoformat(row["von"]),
            dt.date.fromisoformat(row["bis"]),
            row["stelle"],
            tuple(row["verfahren"].split()),
        )
        with database.write() as session:
            certificate_id = save_certificate(session, manager, draft)
            if row["geprueft"] == "ja":
                verify_certificate(session, manager, certificate_id)


def _refuse_faults(name: str, preview: object) -> None:
    for fault in getattr(preview, "faults", ()):
        text = fault.error.text % fault.error.values if fault.error.values else fault.error.text
        raise BadData(f"{name}.csv, row {fault.row}, {fault.column} = {fault.content!r}: {text}")
