"""A random walk through what operators, machines and other people do to a node."""
