"""docs/cli.md and docs/api.md, made from what the code says of itself; `python -m tests.reference` writes both."""

from tests.reference.api import api_page
from tests.reference.cli import cli_page
from tests.reference.source import ROOT

PAGES = {ROOT / "docs" / "cli.md": cli_page, ROOT / "docs" / "api.md": api_page}
