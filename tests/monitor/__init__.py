"""Tests of the metrics, on real databases."""
