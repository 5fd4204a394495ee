"""Tests of plancton.runtime.docker."""
