"""The terminal user interface: a node at a glance, and in hand."""
