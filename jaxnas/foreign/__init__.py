"""Files that others made, read without trust: nothing of them is run, and every claimed size is checked first."""
