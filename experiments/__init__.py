"""Runnable experiments: presets and command line."""
