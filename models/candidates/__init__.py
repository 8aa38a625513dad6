"""Which models may answer a placement, what each needs, and the lists of persons that are made with a release."""
