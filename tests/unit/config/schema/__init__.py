"""Tests of plancton.config.schema."""
