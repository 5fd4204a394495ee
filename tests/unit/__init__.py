"""Pure code, by tables and properties."""
