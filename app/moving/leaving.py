"""What partners learn of a move, and what the firm's old node makes of one that was given up."""

from sqlalchemy.orm import Session

from app.core import clock
from app.federation.actions import send_message
from app.federation.lanes import put_first, resume_lane
from app.notary.moved import name_new_home, new_home
from app.notary.queries import key_document
from app.notary.transfer import COPY, return_log
from app.notary.witnesses import halt_of
from app.partners.homes import part_from, partners_elsewhere, welcome_back
from app.partners.queries import may_send

KIND = "firm.moved"


def go_to_node(session: Session, firm_id: str, node: str) -> None:
    """The firm's key document names its new node, and partners who stay here look for it there."""
    name_new_home(session, firm_id, node)
    home = new_home(session, firm_id)
    assert home is not None
    part_from(session, firm_id, home)


def stay_after_all(session: Session, firm_id: str, node: str) -> None:
    """The move was given up, or a copy goes on in the place of what it was copied from: whoever looks elsewhere turns round."""
    is_elsewhere_to_partners = halt_of(session, firm_id) == COPY or new_home(session, firm_id) is not None
    return_log(session, firm_id)
    if is_elsewhere_to_partners:
        name_new_home(session, firm_id, node)
        home = new_home(session, firm_id)
        assert home is not None
        welcome_back(session, firm_id, home)
        tell_partners(session, firm_id)


def tell_partners(session: Session, firm_id: str) -> None:
    """Tell each partner on another node where we live, before all that waits for it; what rested goes too."""
    document = key_document(session, firm_id)
    for partner_id in partners_elsewhere(session, firm_id):
        resume_lane(session, firm_id, partner_id, clock.now())
        if may_send(session, firm_id, partner_id, KIND, document):
            send_message(session, firm_id, partner_id, KIND, document)
            put_first(session, firm_id, partner_id)
