"""Networks in JAX; the only package that knows flax."""

from jaxnas.nets.network import Network, Watched, build_network

__all__ = ["Network", "Watched", "build_network"]
