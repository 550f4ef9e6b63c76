"""What all parts of a cluster file have in common."""

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

STRICT = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=False)
