"""What is wrong, and what mends it: base.py says what a finding is, examine.py is the whole examination."""
