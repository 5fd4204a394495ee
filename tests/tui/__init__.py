"""Tests of the terminal user interface, on the real engine and a simulated node."""
