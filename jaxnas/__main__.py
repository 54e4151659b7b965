"""`python -m jaxnas` is the command `jaxnas`."""

import sys

from jaxnas.cli import main

sys.exit(main())
