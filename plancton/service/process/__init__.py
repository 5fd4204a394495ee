"""Plancton as a process: paths, lock, logs, threads, signals."""
