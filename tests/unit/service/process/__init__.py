"""Tests of plancton.service.process."""
