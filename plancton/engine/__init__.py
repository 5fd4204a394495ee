"""The functional core and the loop around it."""
