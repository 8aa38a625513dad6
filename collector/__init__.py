"""The intake of events: authenticate the shop, check, acknowledge only what is on disk, forward to the event log in order."""
