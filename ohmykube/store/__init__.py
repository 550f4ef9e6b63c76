"""The home directory: wish and observation of every cluster, written atomically, behind locks."""
