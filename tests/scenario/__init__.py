"""The real engine on a simulated node and clock."""
