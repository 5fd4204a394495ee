"""The examples, run for real."""
