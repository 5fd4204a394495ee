"""Tests of plancton.engine.records."""
