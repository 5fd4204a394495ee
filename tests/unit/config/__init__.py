"""Tests of plancton.config."""
