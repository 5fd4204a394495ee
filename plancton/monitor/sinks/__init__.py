"""The kinds of targets that metrics go to."""
