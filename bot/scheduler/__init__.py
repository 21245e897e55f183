"""What the clock starts: the list of jobs and the ticking."""
