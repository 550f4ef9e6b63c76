# Copyright (c) ohmykube contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""How one node is: each file looks at one concern and changes nothing; mend.py alone changes something."""
