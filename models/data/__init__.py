"""What models learn from and are judged by: interactions, sequences, baskets, visits, and splits that cannot leak."""
