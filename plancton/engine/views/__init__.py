"""What the engine shows: the snapshot, and its figures in words."""
