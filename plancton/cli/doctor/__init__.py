"""What `plancton doctor` looks at."""
