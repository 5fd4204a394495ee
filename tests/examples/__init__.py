"""What stands in contrib/ for many nodes, tried out."""
