"""Tests of plancton.tui."""
