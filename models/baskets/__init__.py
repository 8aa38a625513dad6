"""Recommend the next basket of a person from the baskets before it."""
