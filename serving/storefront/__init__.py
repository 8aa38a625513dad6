"""A shop's storefront to try: a page that asks this serving for its lists and tells the collector what its visitor does.

It is public, so it has no read key and what it may ask is narrow (``routes``); which shops have one, an operator says
(``doors``).
"""
