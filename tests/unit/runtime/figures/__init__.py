"""Tests of plancton.runtime.figures."""
