"""Pilots on a real Docker Engine."""
