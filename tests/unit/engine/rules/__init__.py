"""Tests of plancton.engine.rules."""
