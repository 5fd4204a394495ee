"""Adapters to the real node: Docker, control groups, the host."""
