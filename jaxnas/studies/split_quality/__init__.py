"""What splits are worth by true accuracies, beside random splits of the same shape."""
