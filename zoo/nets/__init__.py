"""What a net is: its tensors, its architecture and family, what all nets of a zoo share."""
