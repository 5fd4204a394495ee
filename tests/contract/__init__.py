"""What simulated and real nodes must both do."""
