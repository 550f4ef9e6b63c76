"""What a bug report needs, in one archive: sources.py says what, redact.py what is taken out, archive.py writes it."""
