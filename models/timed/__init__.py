"""Recommenders that depend on the time: what sells now, what rises, what is new or on sale, what a person is due to buy again.

Every model follows ``models.timed.model.TimedModel``: it learns from a ``Moment``, what a shop knew at one instant, and scores
all items for each person of a moment.
"""
