"""Tests of plancton.cli.doctor."""
