"""Recommendations over HTTP: candidates, blend, guard, reasons, with a ladder of fallbacks."""
