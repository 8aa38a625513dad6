"""What an item's title, category and attributes say about it, for items that have no history yet.

``words`` turns an item's text into tokens and an encoder (``tfidf``, ``sentences``) items into vectors. ``attribute_mapping``
gives items without history a place in what a recommender has learnt; ``content_knn`` is the baseline that learns nothing.
"""
