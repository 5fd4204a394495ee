"""The recipes in examples/, run for real."""
