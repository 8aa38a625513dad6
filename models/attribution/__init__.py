"""What a shop's channels bring: the removal effect of a Markov chain, and Shapley's value, fitted to journeys of visits."""
