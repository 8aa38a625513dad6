"""Landing: what comes from elsewhere becomes bronze.

History (a data set, a simulator, a shop's own files) is written as landing files of raw events, then checked against the same
contract as live events and published as ``bronze/history``. Live events are appended to ``bronze/events`` by the stream job.
"""
