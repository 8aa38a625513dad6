"""Feature values at a request: a table in memory that follows the topic of features, and the online store on a miss.

``views`` says what can be read, ``table`` keeps rows, ``follower`` feeds it, ``online_store`` reads Feast in a time budget, and
``reader`` joins both.
"""
