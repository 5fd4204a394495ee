"""Tests of plancton.service.installer."""
