"""The real engine on a node that exists only in memory, faster than time."""
