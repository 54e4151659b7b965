"""Studies: many supernets, splits or metrics side by side, with intervals."""
