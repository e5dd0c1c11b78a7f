"""What changes weights but no function."""
