"""The control socket: HTTP on a Unix socket, its server and its client."""
