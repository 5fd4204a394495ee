"""The control socket: server and client, on a simulated node."""
