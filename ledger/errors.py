"""The one exception of the ledger: whatever is wrong with the input ends in it."""


class VerificationError(ValueError):
    """The bytes do not prove what they claim; the text says which check did not hold."""
