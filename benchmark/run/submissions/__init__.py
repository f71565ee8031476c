"""What a submission to a leaderboard holds, and how it is checked."""
