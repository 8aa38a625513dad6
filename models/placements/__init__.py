"""What each placement of a shop asks, which models may answer it, and how they are judged on the shop's time split."""
