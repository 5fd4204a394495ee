"""Tests of plancton.control."""
