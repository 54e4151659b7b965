"""Which rule picks the right sub-supernet, and at what budget."""
