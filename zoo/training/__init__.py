"""Training the nets of a unit, and measuring them."""
