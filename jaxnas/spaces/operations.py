"""The names of all operations that a space may choose from. What they compute is in `jaxnas.nets.cells`."""

NONE = "none"  # closes an edge; every space has it
WEIGHTLESS = {"skip_connect", "avg_pool_3x3"}  # the functions are in `PLAIN` of `jaxnas.nets.cells`
CONVOLUTIONS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}  # operations that hold weights, and their kernel size


def known_operations() -> list[str]:
    """All names, those of plugins included."""
    return [NONE, *sorted(WEIGHTLESS), *CONVOLUTIONS]
