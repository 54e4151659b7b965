"""Methods: stages of a search as functions of arrays."""
