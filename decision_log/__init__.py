"""The decision log of serving on its way into the lake, and what became of each answer."""
