"""Building a zoo: units of work, and who does them."""
