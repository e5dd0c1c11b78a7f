"""What symmetries make of one net: orbits of equal loss, what training conserves on them, and teleports."""
