"""Tests of plancton.monitor.sinks."""
