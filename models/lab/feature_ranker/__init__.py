"""A ranker on features: boosted symmetric trees over candidates of all sources, with what feature store and request say.

It does not serve: a request is ranked by the trees of ``models.ranking.request_ranker``, on columns that serving has at that
moment; these columns are worked out from a shop's whole tables.

``situation`` says what is known of a request, ``sources`` gives candidates, ``columns`` what is said of each (``rhythm`` of a
person's restocks), ``linear`` a first score on top of which ``models.ranking.growth`` grows trees, ``calibration`` chances from
scores, ``ranker`` puts them together.
"""
