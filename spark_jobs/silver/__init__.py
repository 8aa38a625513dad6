"""Bronze → silver: the fate of every event, and the typed tables that everything else reads."""
