"""Tests of plancton.cli."""
