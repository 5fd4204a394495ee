"""The installed command as a user runs it, on real Docker."""
