"""A shop's own rules at work on a list: what they hide, put last, weigh, spread and pin."""
