"""Radrelay: takes radiology studies in, keeps them encrypted for a limited time, shows them, hands them on."""

from importlib.metadata import version

__version__ = version("radrelay")

IMPLEMENTATION_CLASS_UID = "2.25.263577461293217539446012385176431960911"
IMPLEMENTATION_VERSION_NAME = f"RADRELAY_{__version__.replace('.', '')}"
