"""What determines a zoo."""
