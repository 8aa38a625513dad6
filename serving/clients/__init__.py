"""Clients for a shop's own programs: ``recommendations`` (Python, its own library only) and ``recommendations.js``.

``python -m serving.clients.types`` makes their types from the OpenAPI document.
"""
