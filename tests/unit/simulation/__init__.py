"""Tests of plancton.simulation."""
