"""Networks in JAX; the only package that knows flax."""

from jaxnas.nets.network import Network, build_network

__all__ = ["Network", "build_network"]
