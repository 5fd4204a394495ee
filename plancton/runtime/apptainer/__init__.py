"""Pilots without a daemon: each runs in Apptainer, in a cgroup of its own, beside a shim."""
