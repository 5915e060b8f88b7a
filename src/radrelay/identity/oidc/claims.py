"""Who somebody is by what the provider says: pure, and distrustful of every claim."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from radrelay.identity.accounts import LONGEST_NAME
from radrelay.identity.oidc.errors import GroupsNotGiven, LoginTooWeak
from radrelay.settings import OidcSettings

LONGEST_EMAIL = 320
MOST_GROUPS = 5000


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody whom the provider has let in. Only issuer and subject say which account is theirs."""

    issuer: str
    subject: str
    username: str
    full_name: str
    email: str
    groups: frozenset[str]
    """The provider's groups, folded."""
    link: str = ""
    sid: str = ""
    id_token: str = field(default="", repr=False)
    two_factors: bool = False
    """The provider's login counts as two factors."""

    def is_in(self, groups: tuple[str, ...]) -> bool:
        """Say whether somebody is in one of the provider's groups."""
        return any(_folded(name) in self.groups for name in groups)

    def followed(self, mapping: Mapping[str, str]) -> set[str]:
        """Return the groups here that follow those that somebody is in."""
        return {" ".join(here.split()) for named, here in mapping.items() if _folded(named) in self.groups}


def wants_more(claims: Mapping[str, Any], settings: OidcSettings) -> bool:
    """Say whether claims that are asked for are not among these: userinfo may have them."""
    wanted = [settings.username_claim, settings.name_claim, settings.link_claim]
    wanted += [settings.groups_claim] if _groups_count(settings) else []
    return any(_at(claims, name) is None for name in wanted if name)


def require_strong(claims: Mapping[str, Any], settings: OidcSettings) -> None:
    """Raise `LoginTooWeak` unless an ID token names one of the ways of logging in that are asked for."""
    if settings.acr_values and claims.get("acr") not in settings.acr_values:
        raise LoginTooWeak(acr=_text(claims.get("acr"), 100))


def counts_as_two(claims: Mapping[str, Any], settings: OidcSettings) -> bool:
    """Say whether a login at the provider counts as two factors: always, or by what its ID token says of it.

    `acr` and `amr` are those of the signed ID token (Core 2), never userinfo's.
    """
    methods = claims.get("amr")
    used = {one for one in methods if isinstance(one, str)} if isinstance(methods, list) else set()
    by_class = isinstance(claims.get("acr"), str) and claims["acr"] in settings.two_factors_acr
    return settings.two_factors or by_class or not used.isdisjoint(settings.two_factors_amr)


def newcomer(issuer: str, subject: str, claims: Mapping[str, Any], settings: OidcSettings) -> Newcomer:
    """Return who somebody is; raises `GroupsNotGiven`."""
    groups = _at(claims, settings.groups_claim)
    elsewhere = claims.get("_claim_names")  # Core 5.6.2; where Entra ID leaves out more than 200 groups
    left_out = (isinstance(elsewhere, dict) and settings.groups_claim in elsewhere) or claims.get("hasgroups") is True
    if groups is None and left_out and _groups_count(settings):
        raise GroupsNotGiven
    return Newcomer(
        issuer=issuer,
        subject=subject,
        username=_text(_at(claims, settings.username_claim), LONGEST_NAME),
        full_name=_text(_at(claims, settings.name_claim), LONGEST_NAME),
        email=_text(_at(claims, settings.email_claim), LONGEST_EMAIL),
        groups=_names(groups),
        link=_text(_at(claims, settings.link_claim), LONGEST_NAME) if settings.link_claim else "",
        sid=_text(claims.get("sid"), 255),
    )


def _groups_count(settings: OidcSettings) -> bool:
    return bool(settings.groups or settings.allowed_groups or settings.admin_groups)


def _at(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by the way that leads to it: names may have dots themselves."""
    if name in claims:
        return claims[name]
    here: Any = claims
    for part in name.split("."):
        if not isinstance(here, Mapping) or part not in here:
            return None
        here = here[part]
    return here


def _names(groups: Any) -> frozenset[str]:
    found = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    return frozenset(_folded(one) for one in found[:MOST_GROUPS] if isinstance(one, str) and one.strip())


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _text(value: Any, longest: int) -> str:
    """Return a claim that is text, in one line; empty for anything else and for what is too long to be one."""
    if not isinstance(value, str) or len(value) > longest:
        return ""
    return "".join(char for char in value if unicodedata.category(char) not in ("Cc", "Cs")).strip()
