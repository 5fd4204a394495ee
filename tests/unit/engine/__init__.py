"""Tests of plancton.engine."""
