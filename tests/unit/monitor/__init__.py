"""Tests of plancton.monitor."""
