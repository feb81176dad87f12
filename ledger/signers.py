"""Who must sign which record: the table of ledger.md section 3, and its check."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ledger.errors import VerificationError
from ledger.evidence import Evidence

# Of each group at least one role must have signed.
Groups = tuple[tuple[str, ...], ...]
MANAGER_AND_SEAL: Groups = (("manager",), ("firm",))
SEAL: Groups = (("firm",),)
OLDER_KEY_AND_SEAL: Groups = (("manager", "recovery"), ("firm",))
ANYBODY: Groups = (("worker", "foreman", "manager", "firm"),)
NOBODY: Groups = ()
MUTUAL = "mutual"


@dataclass(frozen=True)
class Signers:
    """What is needed of the party `from` and of the party `to`."""

    from_: Groups
    to: Groups = NOBODY


SIGNERS: dict[str, Signers] = {
    "Genesis": Signers((("log",), ("recovery",), ("manager",), ("firm",))),
    "KeyRegister": Signers(OLDER_KEY_AND_SEAL),
    "KeyRotate": Signers(OLDER_KEY_AND_SEAL),
    "KeyRevoke": Signers(OLDER_KEY_AND_SEAL),
    "LinkPartner": Signers(MANAGER_AND_SEAL, MANAGER_AND_SEAL),
    "LinkEnd": Signers(MANAGER_AND_SEAL),
    "Agreement": Signers(MANAGER_AND_SEAL, MANAGER_AND_SEAL),
    "BundleEffective": Signers(SEAL),
    "AgreementLapsed": Signers(SEAL),
    "Change": Signers(MANAGER_AND_SEAL, MANAGER_AND_SEAL),
    "Cancellation": Signers(MANAGER_AND_SEAL, MANAGER_AND_SEAL),
    "HoursReport": Signers(ANYBODY),
    "HoursConfirm": Signers(ANYBODY),
    "Completion": Signers(MANAGER_AND_SEAL),
    "Dispute": Signers(MANAGER_AND_SEAL),
    "ShareGrant": Signers(MANAGER_AND_SEAL),
    "ShareRevoke": Signers(MANAGER_AND_SEAL),
    "Erasure": Signers(MANAGER_AND_SEAL),
    "WitnessConflict": Signers(SEAL),
    "Anchor": Signers(SEAL),
}
_KINDS_OF_ROLE = {"log": "log", "recovery": "recovery", "firm": "seal"}


def check_signers(evidence: Evidence) -> None:
    """Raises VerificationError unless every required role of every party has signed, each once, and nobody else."""
    message, signers = evidence.message, signers_of(evidence.primary_type, evidence.message)
    given: dict[str, set[str]] = {message["from"]: set()}
    if signers.to:
        if message["from"] == message["to"]:
            raise VerificationError("a firm cannot agree with itself")
        given[message["to"]] = set()
    kids: set[str] = set()
    for signature in evidence.signatures:
        party, role = signature["party"], signature["role"]
        if party not in given or role in given[party]:
            raise VerificationError(f"signed by a stranger or twice: {party} as {role}")
        if signature["kind"] != _KINDS_OF_ROLE.get(role, "passkey") or signature.get("kid") in kids:
            raise VerificationError(f"the key does not fit the role {role}, or signs in two roles")
        given[party].add(role)
        kids.update(filter(None, [signature.get("kid")]))
    _check_groups(signers.from_, given[message["from"]])
    if signers.to:
        _check_groups(signers.to, given[message["to"]])


def signers_of(primary_type: str, message: dict[str, Any]) -> Signers:
    """The rule of a record; a change or cancellation by right of a clause needs one side only."""
    rule = SIGNERS[primary_type]
    if message.get("basis", MUTUAL) != MUTUAL:
        return Signers(rule.from_)
    return rule


def _check_groups(groups: Groups, roles: set[str]) -> None:
    allowed = set(_flatten(groups))
    # A firm with the two-person rule signs with a second manager beside the first.
    if "manager" in allowed:
        allowed.add("second")
    if not roles <= allowed:
        raise VerificationError(f"role without a part in this record: {', '.join(sorted(roles - allowed))}")
    for group in groups:
        if not roles & set(group):
            raise VerificationError(f"signature missing: {' or '.join(group)}")


def _flatten(groups: Groups) -> Iterable[str]:
    return (role for group in groups for role in group)
