"""Shops, shoppers and merchants with known ground truth: the load for tests, demos and soak runs.

Modelled: items with categories, brands, Chinese and English titles, price bands, stock, and price, stock and status changes
from day to day; shoppers with latent tastes (low-dimensional vectors; what they look at and buy follows taste, popularity
and their price sensitivity), who come first as strangers and later log in, some on two
devices and now and then on somebody else's, in visits with a rhythm of day and week; funnels
(search or view → cart → checkout → payment), with a page view for each page of no item (home, search, category, checkout,
bargain); personal repeat purchase; channels, campaigns, devices, cities; shares that
friends open, group buys that fill or fail, bargains, coupons, changes of consent, refunds days later; what is spent on
channels; bots; and the defects
of real traffic: duplicate deliveries, late, future-dated and broken events.

A second process (``simulator.wandering``) moves tastes, lets goods run out one by one and lets one look lead to the next.

Not modelled: stock that orders use up, delivery, customer service, distributors and commissions, fraud beyond bots, in the
steady process tastes that drift, and any reaction to recommendations of this platform. Nothing here is measured on a
real shop; it shows that the platform counts and learns right, not how well a real shop would sell.

Everything is drawn from ``(seed, shop, what, day)``, so that a day is the same whoever computes it and in whatever order. The
truth (who is a bot, tastes, planted defects, true conversion) is written beside the data and never read by the pipeline.
"""
