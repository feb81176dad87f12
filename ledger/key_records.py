"""Reading key records that come with their proofs: how a stranger's keys are learned from its own log."""

from ledger import checks
from ledger.checkpoint import Checkpoint
from ledger.checks import Parties
from ledger.errors import VerificationError
from ledger.evidence_file import Proved
from ledger.firm_keys import FirmKeys


def read_key_record(record: Proved, claim: Checkpoint | None, firms: dict[str, FirmKeys]) -> None:
    """Adds a verified key record to its firm's keys; `claim` is the checkpoint of its log, verified by the caller.

    Records of one log come in the order of their positions. Raises VerificationError and then changes nothing.
    """
    if claim is None:
        raise VerificationError("no checkpoint of this log")
    record.check_inclusion(claim)
    leaf, evidence = record.leaf, record.check_evidence()
    checks.check_digest(leaf, evidence)
    if not checks.is_key_record(leaf):
        raise VerificationError("not a key record")
    firm = evidence.message["from"]
    if leaf.type == "genesis":
        if firm in firms:
            raise VerificationError("a firm with two genesis records")
        keys = FirmKeys.from_genesis(leaf, evidence.message)
        checks.check_record(leaf, evidence, Parties({firm: keys}, {}))
        firms[firm] = keys
    else:
        if firm not in firms or firms[firm].origin != leaf.log:
            raise VerificationError("key record without the genesis record before it")
        checks.check_record(leaf, evidence, Parties({firm: firms[firm]}, {}))
        firms[firm].apply(leaf, evidence.message)
