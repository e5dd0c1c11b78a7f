"""Reading a zoo."""
