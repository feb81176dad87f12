"""A log's root on a public chain: the contract, the questions to a chain, the check of an anchor record."""
