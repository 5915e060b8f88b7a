"""The post of an installation, which signs each letter with the name of the organisation that it comes from."""

from __future__ import annotations

from radrelay.clock import Clock
from radrelay.identity import organisations
from radrelay.mail import Post
from radrelay.settings import Settings


def open_post(settings: Settings, clock: Clock, metadata_key: bytes) -> Post:
    """Return the post as the settings have it."""
    return Post(settings.mail, clock, metadata_key, settings.web.organisation_name, organisations.name_of)
