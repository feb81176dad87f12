"""Who must sign which record: the table of ledger.md section 3, and its check."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
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
    message, signatures = evidence.message, evidence.signatures
    from_, to = message["from"], message["to"]
    given = [(_side(one["party"], from_, to), one["role"], one["kind"]) for one in signatures]
    kids = [one["kid"] for one in signatures if "kid" in one]
    if len(set(kids)) != len(kids):
        raise VerificationError("one key signs in two roles")
    _check_given(evidence.primary_type, message.get("basis", MUTUAL) == MUTUAL, from_ == to, tuple(given))


def signers_of(primary_type: str, message: dict[str, Any]) -> Signers:
    """The rule of a record; a change or cancellation by right of a clause needs one side only."""
    return _rule(primary_type, message.get("basis", MUTUAL) == MUTUAL)


def _rule(primary_type: str, is_mutual: bool) -> Signers:
    rule = SIGNERS[primary_type]
    return rule if is_mutual else Signers(rule.from_)


def _side(party: str, from_: str, to: str) -> str:
    return "from" if party == from_ else "to" if party == to else "stranger"


@lru_cache(maxsize=4096)
def _check_given(primary_type: str, is_mutual: bool, is_alone: bool, given: tuple[tuple[str, str, str], ...]) -> None:
    """The rule needs who, as what and by which kind of key: a few cases that return in every record."""
    signers = _rule(primary_type, is_mutual)
    if signers.to and is_alone:
        raise VerificationError("a firm cannot agree with itself")
    roles: dict[str, set[str]] = {"from": set(), "to": set()} if signers.to else {"from": set()}
    for side, role, kind in given:
        if side not in roles or role in roles[side]:
            raise VerificationError(f"signed by a stranger or twice: as {role}")
        if kind != _KINDS_OF_ROLE.get(role, "passkey"):
            raise VerificationError(f"the key does not fit the role {role}")
        roles[side].add(role)
    _check_groups(signers.from_, roles["from"])
    if signers.to:
        _check_groups(signers.to, roles["to"])


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
