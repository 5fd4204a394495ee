"""The rules that decide, one file each, and what they reason with. Pure."""
