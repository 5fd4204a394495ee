"""Plancton keeps disposable pilot containers running on the idle CPU of a node."""

__version__ = "1.0.0.dev0"
