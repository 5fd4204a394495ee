"""Set a node up, and take it down again."""
