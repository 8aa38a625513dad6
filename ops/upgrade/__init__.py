"""``jishi upgrade``: bring the state on disk and the running parts to the code that is here, and back."""
