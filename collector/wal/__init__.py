"""The write-ahead log between the collector's acknowledgement and the event log.

A folder of append-only segments ``segment-<first_seq>.log``. Each entry is one line: the CRC-32 of the record (8 hexadecimal
digits), a space, the record as JSON (``jishi.contract.Record``), a line end. ``seq`` counts from 0 without a gap, over
restarts too. ``collector_id`` names this log for ever, ``durable`` says how far it is on disk, ``lock`` keeps a second
collector out. Readers read up to ``durable`` and no further: what lies behind it was never acknowledged.
"""
