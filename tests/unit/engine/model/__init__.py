"""Tests of plancton.engine.model."""
