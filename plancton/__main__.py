"""Lets ``python -m plancton`` do what ``plancton`` does."""

from plancton.cli.app import main

main()
