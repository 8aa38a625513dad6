"""A comparison page of ``jishi evaluate`` reports and the cards of released models: one HTML file, nothing loaded from outside.

``reports`` reads, ``cards`` describes releases, ``charts`` draws SVG, ``sections`` and ``document`` write HTML.
"""
