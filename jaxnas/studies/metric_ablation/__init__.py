"""What every metric says of every edge of a supernet, and how far to trust it."""
