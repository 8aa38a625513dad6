"""Bronze → silver: the outcome of every event, and the typed tables that everything else reads."""
