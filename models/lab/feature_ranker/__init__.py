"""A ranker on features: boosted symmetric trees over candidates of all sources, with what feature store and request say.

It does not serve: serving ranks with lists that were made with the release (``models.ranking.list_ranker``), and evaluates no
trees at a request yet.

``situation`` says what is known of a request, ``sources`` gives candidates, ``columns`` what is said of each (``rhythm`` of a
person's restocks), ``linear`` a first score on top of which ``models.ranking.growth`` grows trees, ``calibration`` chances from
scores, ``ranker`` puts them together.
"""
