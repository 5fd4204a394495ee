"""What the engine observes, decides and carries from tick to tick, as frozen values. Pure."""
