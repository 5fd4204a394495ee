"""Tests of plancton.service."""
