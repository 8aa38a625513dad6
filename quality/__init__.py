"""Is it all there and is it right: reconciliation, quarantine and repair, parity, bots."""
