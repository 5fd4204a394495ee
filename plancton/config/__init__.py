"""What the administrator asks for: schema, loading, 0.6.0 files, expressions."""
