"""What databases and their dashboards see of a node."""
