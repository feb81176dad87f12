"""A gallery of all interface parts, for tests and for looking at them."""
