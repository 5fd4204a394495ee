"""Of pilots without a daemon."""
