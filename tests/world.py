"""A small named world: the firms of the 500-hour story, with noise. Rows only; ledgers are opened by those who need them."""

import copy
import datetime as dt
import re
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.capacity.models import CapacityWindow
from app.core import clock
from app.core.ids import new_id
from app.core.units import weeks
from app.firms.access import Actor, Role
from app.firms.models import Firm, Membership, Person, Site
from app.machines.models import Capability, Machine, RateCard
from app.partners.models import Framework, Partnership
from tests.remembered import Rows, put_back, rows_of

FIRST_WEEK, LAST_WEEK = "2026-W49", "2027-W04"
TOWNS = {
    "keller": ("Keller Metallbau", "Keller", "98693", "Ilmenau", 50.6832, 10.9186),
    "yilmaz": ("Dreherei Yilmaz", "Yilmaz", "98527", "Suhl", 50.6091, 10.6940),
    "brandt": ("Brandt Präzision", "Brandt", "98574", "Schmalkalden", 50.7214, 10.4439),
    "nowak": ("Nowak Zerspanung", "Nowak", "07743", "Jena", 50.9288, 11.5899),
    "lindner": ("Lindner Fräsen", "Lindner", "99610", "Sömmerda", 51.1591, 11.1152),
    "vogt": ("Vogt Feinmechanik", "Vogt", "99310", "Arnstadt", 50.8405, 10.9520),
}
FREE_HOURS = {"yilmaz": 120, "brandt": 160, "nowak": 140, "lindner": 100, "vogt": 60}
"""Hours of 5-axis milling that each partner has free between KW 49/2026 and KW 4/2027."""


def has_number(text: str, number: str) -> bool:
    """The number stands anywhere in the text but inside a random id or a longer number."""
    said = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", text)
    return re.search(rf"(?<!\d){re.escape(number)}(?!\d)", said) is not None


@dataclass
class TestFirm:
    """One firm of the world with the ids that tests need."""

    __test__ = False

    id: str
    key: str
    name: str
    people: dict[Role, str] = field(default_factory=dict)
    machine_id: str = ""
    site_id: str = ""

    def actor(self, role: Role = Role.MANAGER) -> Actor:
        """The person of this firm with the role, signed in with a passkey."""
        short_name = TOWNS[self.key][1]
        return Actor(
            self.id, self.people[role], frozenset({role}), role, role.name.title(), "s-" + self.people[role],
            firm_name=self.name, firm_short_name=short_name,
        )  # fmt: skip


_MADE: dict[tuple[tuple[str, ...], dt.datetime], tuple[dict[str, TestFirm], Rows]] = {}


def make_world(session: Session, keys: tuple[str, ...] = tuple(TOWNS)) -> dict[str, TestFirm]:
    """Create the firms with site, a manager, a foreman and a worker each, a 5-axis machine, free hours and a rate;

    Keller is an active partner of all others; the others do not know each other.
    """
    moment = (keys, clock.now())
    if moment not in _MADE:
        world = _make_world(session, keys)
        _MADE[moment] = world, rows_of(session, [firm.id for firm in world.values()])
        return copy.deepcopy(world)
    world, rows = _MADE[moment]
    put_back(session, rows)
    return copy.deepcopy(world)


def _make_world(session: Session, keys: tuple[str, ...]) -> dict[str, TestFirm]:
    world = {key: make_firm(session, key) for key in keys}
    session.flush()
    for key, firm in world.items():
        if key != "keller" and "keller" in world:
            join_firms(session, world["keller"], firm)
    session.flush()
    return world


def make_firm(session: Session, key: str) -> TestFirm:
    name, short, postcode, town, lat, lon = TOWNS[key]
    now = clock.now()
    firm = TestFirm(new_id(), key, name, site_id=new_id())
    session.add(
        Firm(
            id=firm.id, address=f"{key}@test", name=name, short_name=short, legal_form="GmbH", register_court="Jena",
            register_no="HRB 500123", vat_id="DE136695976", street="Werkstraße 1", postcode=postcode, town=town,
            recovery_printed_at=now, created_at=now,
        )
    )  # fmt: skip
    session.flush()
    session.add(
        Site(
            firm_id=firm.id, id=firm.site_id, created_at=now, name=town, postcode=postcode, town=town, lat=lat, lon=lon,
            shift_minutes=[960, 960, 960, 960, 600, 0, 0],
        )
    )  # fmt: skip
    for role in (Role.MANAGER, Role.FOREMAN, Role.WORKER):
        person_id = firm.people[role] = new_id()
        session.add(
            Person(
                firm_id=firm.id,
                id=person_id,
                created_at=now,
                name=f"{short} {role.title()}",
                email=f"{role}@{key}.example",
            )
        )
        session.flush()
        session.add(Membership(firm_id=firm.id, id=new_id(), created_at=now, person_id=person_id, role=role))
    firm.machine_id = add_machine(session, firm)
    add_free_hours(session, firm, firm.machine_id, FREE_HOURS.get(key, 0) * 60)
    return firm


def add_machine(
    session: Session, firm: TestFirm, number: str = "M1", rate_cents: int | None = 9500, process: str = "milling_5x"
) -> str:
    machine_id, now = new_id(), clock.now()
    session.add(
        Machine(
            firm_id=firm.id, id=machine_id, created_at=now, site_id=firm.site_id, number=number, type_key="mill_5axis",
            name="F5-650", min_block_min=480, set_up_min=0,
            parameters={
                "x_travel_mm": 650, "y_travel_mm": 650, "z_travel_mm": 560, "table_load_kg": 600, "simultaneous": ["3+2", "5"],
                "workpiece_diameter_mm": 650,
            },
        )
    )  # fmt: skip
    session.flush()
    session.add(
        Capability(
            firm_id=firm.id, id=new_id(), created_at=now, machine_id=machine_id, process_key=process,
            material_groups=["P", "M", "N", "H"], best_it=6, best_ra_nm=800,
        )
    )  # fmt: skip
    if rate_cents is not None:
        session.add(
            RateCard(
                firm_id=firm.id, id=new_id(), created_at=now, machine_id=machine_id, rate_cents_per_hour=rate_cents,
                valid_from=dt.date(2026, 1, 1),
            )
        )  # fmt: skip
    session.flush()
    return machine_id


def add_free_hours(session: Session, firm: TestFirm, machine_id: str, total_min: int) -> None:
    """Spread the minutes evenly over the nine weeks of the story, in steps of 15."""
    open_weeks = list(weeks(FIRST_WEEK, LAST_WEEK))
    share = total_min // len(open_weeks) // 15 * 15
    for number, week in enumerate(open_weeks):
        actual = total_min - share * (len(open_weeks) - 1) if number == len(open_weeks) - 1 else share
        session.add(
            CapacityWindow(
                firm_id=firm.id, id=new_id(), created_at=clock.now(), machine_id=machine_id, week=week, maximum_min=4440,
                actual_min=actual,
            )
        )  # fmt: skip
    session.flush()


def join_firms(session: Session, one: TestFirm, other: TestFirm) -> None:
    """Two firms are partners with every scope, under a sealed framework (rows only, no ledger entry)."""
    now = clock.now()
    framework_id = new_id()
    for us, them in ((one, other), (other, one)):
        name, short, _postcode, town, lat, lon = TOWNS[them.key]
        session.add(
            Framework(
                firm_id=us.id, id=framework_id, created_at=now, partner_id=them.id, template_key="lohnfertigung",
                template_version=1, clauses=[], text="Rahmenvertrag", record={}, digest="0x" + "11" * 32, frozen_at=now,
            )
        )  # fmt: skip
        scope = ["requests", "know_how"]
        session.add(
            Partnership(
                firm_id=us.id, id=new_id(), created_at=now, partner_id=them.id, address=f"{them.key}@test", name=name,
                short_name=short, town=town, lat=lat, lon=lon, profile={}, state="active", we_invited=us is one, scope=scope,
                partner_scope=scope, framework_id=framework_id, since=now,
            )
        )  # fmt: skip
