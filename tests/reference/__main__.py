"""Writes the pages of the reference."""

from tests.reference import PAGES

for path, make in PAGES.items():
    path.write_text(make(), encoding="utf-8")
