"""While a partner's node is away its firm is shown as such, and nobody else is held up."""

import datetime as dt

import sqlalchemy as sa

from app.core import clock
from app.partners.models import Partnership
from app.requests.queries import arrivals_of, own_request
from tests.conftest import MONDAY
from tests.nodes.job import ask
from tests.nodes.world import Node, link, settle_all


def test_the_asker_is_told_since_when_one_partner_is_away_until_it_is_back(nodes: list[Node]) -> None:
    one, two, three = nodes
    link(one, "keller", two, "yilmaz", nodes)
    link(one, "keller", three, "brandt", nodes)
    home = two.config.node
    move(one, "yilmaz@zwei.test", "localhost:1")
    request_id = ask(one, [one.partner_id("keller", a) for a in ("yilmaz@zwei.test", "brandt@drei.test")], file=b"")
    settle_all(nodes)
    assert waiting(one, request_id) == {"Brandt Präzision": ("delivered", None), "Dreherei Yilmaz": ("waiting", MONDAY)}
    move(one, "yilmaz@zwei.test", home)
    with clock.frozen(MONDAY + dt.timedelta(minutes=2)):
        settle_all(nodes)
    assert waiting(one, request_id) == {"Brandt Präzision": ("delivered", None), "Dreherei Yilmaz": ("delivered", None)}


def move(node: Node, address: str, to: str) -> None:
    """Where this node looks for a partner; nobody answers at some places."""
    with node.database.write() as session:
        session.execute(sa.update(Partnership).where(Partnership.address == address).values(node=to))


def waiting(node: Node, request_id: str) -> dict[str, tuple[str, dt.datetime | None]]:
    with node.database.read() as session:
        firm_id = node.firm_id("keller")
        found = arrivals_of(session, firm_id, own_request(session, firm_id, request_id))
    return {one.name: (one.state, one.held_up_since) for one in found}
