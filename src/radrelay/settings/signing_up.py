"""Settings of sign-up: whether people make themselves an account, and what becomes of it."""

from __future__ import annotations

from pydantic import Field

from radrelay.settings.base import HOUR_S, Section


class SignUpSettings(Section):
    """Whether people sign up by themselves. They see nothing until something is granted to them or their group."""

    enabled: bool = Field(False, description="people may sign up; needs mail.host, and terms that are published")
    group: str = Field("", description="name of the group that they join; none: no group")
    by_admin: bool = Field(True, description="an administrator lets them in first")
    least_age: int = Field(18, description="the age that they confirm to have, in years", ge=0, le=120)
    link_s: int = Field(24 * HOUR_S, description="a link that confirms an address ends after so many seconds", ge=300)
