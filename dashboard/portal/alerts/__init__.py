"""Alerts: a shop's rules, held against its published days, and what they found."""
