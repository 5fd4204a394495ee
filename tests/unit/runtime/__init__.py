"""Tests of plancton.runtime."""
