"""What is shipped in examples/ and contrib/, run for real."""
