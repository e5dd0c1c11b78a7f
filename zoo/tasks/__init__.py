"""What nets are trained on."""
