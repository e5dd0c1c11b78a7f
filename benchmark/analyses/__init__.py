"""What is looked for in a zoo, and in what metanets predict."""
