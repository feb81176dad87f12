"""Keys: words on paper, wrapping under the node key, and what a wrong word or key gives."""

import pytest
from eth_account.hdaccount.mnemonic import Mnemonic
from hypothesis import given
from hypothesis import strategies as st

from ledger import keys, note
from ledger.errors import VerificationError

NODE_KEY = bytes(range(32))


@given(st.binary(min_size=32, max_size=32))
def test_the_printed_words_give_the_recovery_key_back(seed: bytes) -> None:
    words = keys.words_from_seed(seed)
    assert len(words.split()) == 24
    assert keys.seed_from_words(words.upper().replace(" ", "  \n")) == seed
    assert Mnemonic().to_mnemonic(seed) == words


def test_a_wrong_missing_or_swapped_word_is_named_or_refused() -> None:
    words = keys.words_from_seed(NODE_KEY).split()
    with pytest.raises(VerificationError, match="place 3"):
        keys.seed_from_words(" ".join([*words[:2], "werkring", *words[3:]]))
    with pytest.raises(VerificationError, match="23 given"):
        keys.seed_from_words(" ".join(words[:-1]))
    with pytest.raises(VerificationError, match="order"):
        keys.seed_from_words(" ".join([words[1], words[0], *words[2:]]))
    with pytest.raises(VerificationError):
        keys.words_from_seed(b"short")


def test_a_wrapped_key_opens_only_for_its_node_purpose_and_firm() -> None:
    seal = keys.generate_seal_key()
    wrapped = keys.wrap_key(seal, NODE_KEY, "seal", "werkring.example/a")
    assert keys.unwrap_key(wrapped, NODE_KEY, "seal", "werkring.example/a") == seal
    assert seal not in wrapped
    changed = [bytes([*wrapped[:at], wrapped[at] ^ 1, *wrapped[at + 1 :]]) for at in range(len(wrapped))]
    bad = [(one, NODE_KEY, "seal", "werkring.example/a") for one in [*changed, b"", wrapped[:-1]]]
    bad += [(wrapped, bytes(32), "seal", "werkring.example/a"), (wrapped, b"x", "seal", "werkring.example/a")]
    bad += [(wrapped, NODE_KEY, "log", "werkring.example/a"), (wrapped, NODE_KEY, "seal", "werkring.example/b")]
    for case in bad:
        with pytest.raises(VerificationError):
            keys.unwrap_key(*case)


def test_log_and_cosigner_keys_survive_their_text_form() -> None:
    for signer in (keys.generate_log_key("werkring.example/a"), keys.generate_cosigner_key("werkring.example/a")):
        assert note.parse_skey(signer.skey) == signer
        assert note.parse_vkey(signer.verifier.vkey) == signer.verifier
    assert len(keys.recovery_public_key(keys.generate_recovery_key())) == 32
