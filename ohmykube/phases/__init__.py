"""The steps of the verbs: one file a phase."""
