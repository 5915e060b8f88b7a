"""Which field of a message becomes which attribute: a readable file for each site, with what is shipped as default."""

from radrelay.hl7.mapping.file import DEFAULT_FILE, load_mapping, read_mapping, shipped
from radrelay.hl7.mapping.rules import Condition, Mapping, Place, Source

__all__ = ["DEFAULT_FILE", "Condition", "Mapping", "Place", "Source", "load_mapping", "read_mapping", "shipped"]
