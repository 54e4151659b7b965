"""How well metrics of untrained networks rank architectures."""
