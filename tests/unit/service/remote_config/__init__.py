"""Tests of plancton.service.remote_config."""
