"""Questions to a chain by JSON-RPC over HTTPS: bounded time and size, no redirects, no proxy from the environment."""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ledger.canonical import check_depth
from ledger.encoding import from_hex, to_hex
from ledger.errors import VerificationError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
TIMEOUT_S = 10
MAX_ANSWER_BYTES = 2 * 1024 * 1024


class ChainError(VerificationError):
    """The chain did not answer, or answered nonsense."""


class RefusedError(ChainError):
    """The chain understood and said no; `data` is what a contract said (0x hex), where it did."""

    def __init__(self, method: str, error: Any) -> None:
        told = error if isinstance(error, dict) else {}
        super().__init__(f"{method} refused: {str(told.get('message', 'no reason given'))[:200]}")
        self.data = told["data"] if isinstance(told.get("data"), str) else ""


class Chain:
    """One chain behind one address; `url` must be https unless it is on this machine."""

    def __init__(self, url: str) -> None:
        self._parts = _parts_of(url)

    def ask(self, method: str, *params: Any) -> Any:
        """The result of one call; raises ChainError."""
        asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        try:
            answer = _read(self._post(asked))
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            raise ChainError(f"the chain gave no usable answer to {method}") from error
        if not isinstance(answer, dict) or answer.get("id") != 1:
            raise ChainError(f"the chain gave no usable answer to {method}")
        if answer.get("error") is not None:
            raise RefusedError(method, answer["error"])
        return answer.get("result")

    def chain_id(self) -> int:
        """The number of the chain."""
        return quantity(self.ask("eth_chainId"))

    def code(self, address: str) -> bytes:
        """The code of a contract; empty where none stands."""
        return data(self.ask("eth_getCode", address, "latest"))

    def call(self, contract: str, call: bytes) -> bytes:
        """What a contract answers to a question that changes nothing."""
        return data(self.ask("eth_call", {"to": contract, "data": to_hex(call)}, "latest"))

    def receipt(self, transaction: str) -> dict[str, Any] | None:
        """What became of a transaction; None while it waits or is unknown."""
        return member(self.ask("eth_getTransactionReceipt", transaction))

    def block(self, number: str = "latest") -> dict[str, Any]:
        """Head of a block, by its number in hex."""
        found = member(self.ask("eth_getBlockByNumber", number, False))
        if found is None:
            raise ChainError("the chain does not have that block")
        return found

    def _post(self, body: bytes) -> bytes:
        parts = self._parts
        connection = _connect(parts)
        try:
            connection.request("POST", parts.path or "/", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            read = answer.read(MAX_ANSWER_BYTES + 1)
        finally:
            connection.close()
        # nodes say why they refuse with 400 and 500 too; a redirect leads to no answer
        if len(read) > MAX_ANSWER_BYTES or 300 <= answer.status < 400:
            raise ValueError("no answer of a chain")
        return read


def quantity(value: Any) -> int:
    """A number as JSON-RPC writes it."""
    try:
        if not isinstance(value, str) or not value.startswith("0x"):
            raise ValueError("no hex")
        return int(value, 16)
    except ValueError as error:
        raise ChainError("the chain gave no number") from error


def data(value: Any) -> bytes:
    """Bytes as JSON-RPC writes them."""
    try:
        return from_hex(value)
    except VerificationError as error:
        raise ChainError("the chain gave no bytes") from error


def member(value: Any) -> dict[str, Any] | None:
    """An object or nothing."""
    if value is not None and not isinstance(value, dict):
        raise ChainError("the chain gave no object")
    return value


def _read(answer: bytes) -> Any:
    check_depth(answer)
    return json.loads(answer)


def _parts_of(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ChainError("not an address of a chain") from error
    is_near = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (is_near or parts.scheme == "https") or not parts.hostname or parts.username is not None:
        raise ChainError("the address of a chain begins with https:// unless it is on this machine")
    return parts._replace(path=parts.path + (f"?{parts.query}" if parts.query else ""))


def _connect(parts: SplitResult) -> http.client.HTTPConnection:
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S, context=context)
