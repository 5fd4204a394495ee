"""Plancton on a booted Debian machine: systemd as PID 1, cgroup v2, Docker's systemd driver."""
