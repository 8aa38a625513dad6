"""The ranker of a release: symmetric trees over lists of candidates, grown with CatBoost and evaluated without it."""
