"""Tests of Plancton."""
