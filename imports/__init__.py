"""Landing: what comes from elsewhere becomes bronze.

History (a data set, a simulator, a shop's own files) is written as landing files of raw events, then checked against the same
contract as live events and published as the bronze batch ``history``. Live events reach bronze through the archive that the
stream job writes; ``live`` turns one day of it into the batch ``live-<date>``.
"""
