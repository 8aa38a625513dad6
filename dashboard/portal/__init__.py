"""The merchant's portal: pages of one shop's published numbers, in Chinese and English, for people who log in."""
