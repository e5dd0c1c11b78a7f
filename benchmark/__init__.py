"""metazoo's benchmark: prediction -> score -> leaderboard, and the command line."""
