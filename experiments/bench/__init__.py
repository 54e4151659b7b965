"""What `experiments.benchmark` measures: the library's programs, their peers, and how the two are timed."""
