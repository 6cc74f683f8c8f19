"""``python -m convlib``."""

from convlib.cli import main

main()
