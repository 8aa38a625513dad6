"""``jishi demo``: the main job from an empty folder to a moving recommendation and reconciled numbers."""
