"""How often customers will buy and for how much: BG/NBD and Gamma-Gamma, fitted to the orders of a shop."""
