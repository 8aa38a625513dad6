"""The portal's pages, a module for each question that a merchant asks."""
