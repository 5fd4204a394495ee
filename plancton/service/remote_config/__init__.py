"""A configuration that is fetched from another machine."""
