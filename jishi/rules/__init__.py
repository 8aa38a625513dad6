"""Rules that a shop sets for its recommendations: what they may say, and the versions that are kept of them."""
