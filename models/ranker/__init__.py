"""The ranker: boosted symmetric trees over candidates of all sources, with what the feature store and the request say.

``situation`` says what is known of a request, ``sources`` gives candidates, ``columns`` what is said of each (``rhythm`` of a
person's restocks), ``outcomes`` what came of it, ``linear`` a first score, ``grow`` the trees on top of it (CatBoost),
``symmetric_trees`` their evaluation (no CatBoost), ``calibration`` chances from scores, ``ranker`` puts them together.
"""
