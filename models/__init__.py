"""Recommenders, honest splits, metrics with intervals, the gate, and artefacts that verify themselves.

Every model follows ``models.algorithms.recommender.Recommender``: parameters are untouched by ``fit``, fitted state ends in
``_``, seeds are explicit, histories go in as sparse rows, arrays come out.
"""
