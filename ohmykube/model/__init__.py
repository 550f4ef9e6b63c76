"""The wish, as frozen values: no I/O."""
