"""Settings of where people come from: the directory, and single sign-on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from radrelay.settings.base import LOOPBACK, Section


class DirectorySettings(Section):
    """The directory (Active Directory or another LDAP server) that people come from; without `urls` there is none."""

    urls: tuple[str, ...] = Field((), description="ldaps://host[:port] (or ldap:// with start_tls), tried in turn")
    start_tls: bool = Field(False, description="begin TLS by StartTLS on ldap:// addresses")
    ca_file: Path | None = Field(None, description="PEM of the directory's authority; none: the system's authorities")
    kind: Literal["active-directory", "ldap"] = Field(
        "active-directory", description="which attributes and filters are meant where none are set"
    )
    bind_dn: str = Field("", description="the account that reads the directory: its DN, or user@domain")
    bind_password: str | None = Field(None, description="its password", repr=False)
    bind_password_file: Path | None = Field(None, description="file that holds its password instead")
    base: str = Field("", description="DN below which people and groups are looked for")
    user_base: str | None = Field(None, description="DN below which people are, if another")
    group_base: str | None = Field(None, description="DN below which groups are, if another")
    user_filter: str | None = Field(None, description="filter of people; none: that of the kind")
    group_filter: str | None = Field(None, description="filter of groups; none: that of the kind")
    suspended_filter: str = Field("", description="people who match count as suspended: (employeeStatus=left)")
    id_attribute: str | None = Field(None, description="what stays when somebody is renamed: objectGUID, entryUUID")
    login_attribute: str | None = Field(None, description="the name that is typed: sAMAccountName, uid")
    domains: tuple[str, ...] = Field(
        (), description="further domains that people may type before or behind their name (Active Directory)"
    )
    name_attribute: str = Field("displayName", description="the name that is shown")
    allowed_groups: tuple[str, ...] = Field((), description="only members of these come in; none: all people")
    admin_groups: tuple[str, ...] = Field((), description="their members are administrators, all others users")
    groups: dict[str, str] = Field({}, description="directory group (name or DN) = group here that follows it")
    every_s: int = Field(900, description="people and groups are read every so many seconds; 0: only on demand", ge=0)
    timeout_s: float = Field(5.0, description="longest wait for an answer", gt=0, le=60)
    read_timeout_s: float = Field(300.0, description="longest time that reading all people and groups may take", gt=0)
    page_size: int = Field(500, description="entries asked for at once", ge=1, le=10_000)
    most_entries: int = Field(200_000, description="more people or groups than this are not taken", ge=1)
    most_disabled_percent: float = Field(
        10.0, description="a run that would shut out a larger share of people stops and asks", ge=0, le=100
    )
    guesses: int = Field(
        4,
        description="wrong passwords for a name from unknown places in half an hour; below the directory's lockout",
        ge=1,
    )

    @model_validator(mode="after")
    def _protected(self) -> Self:
        """Refuse addresses that a password would go to in the clear, and a directory without a base."""
        for url in self.urls:
            parts = urlsplit(url)
            if parts.scheme not in ("ldap", "ldaps") or not parts.hostname or parts.path.strip("/") or parts.username:
                raise ValueError(f"urls: {url!r} is not ldaps://host or ldaps://host:port")
            if (parts.scheme == "ldap") != self.start_tls:
                raise ValueError(f"urls: {url!r} needs {'ldap:// for' if self.start_tls else 'ldaps://, or'} start_tls")
        if self.urls and not self.base:
            raise ValueError("base: a directory needs the DN below which people are")
        if self.bind_password and self.bind_password_file:
            raise ValueError("bind_password and bind_password_file are both set")
        return self


class OidcSettings(Section):
    """Single sign-on by OpenID Connect (code flow with PKCE); without `issuer` there is none."""

    issuer: str | None = Field(None, description="the provider's issuer, exactly as it says it: https://…")
    client_id: str = Field("", description="what Radrelay is registered as at the provider")
    client_secret: str | None = Field(None, description="the secret that goes with it", repr=False)
    client_secret_file: Path | None = Field(None, description="file that holds the secret instead")
    client_key_file: Path | None = Field(None, description="PEM private key, for private_key_jwt instead of a secret")
    client_key_id: str | None = Field(None, description="the key's kid at the provider; none: its thumbprint")
    client_auth: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] = Field(
        "client_secret_basic", description="how Radrelay proves to the provider who it is"
    )
    scopes: tuple[str, ...] = Field(("openid", "profile", "email"), description="scopes asked for")
    acr_values: tuple[str, ...] = Field(
        (), description="ways of logging in that are asked for, and of which the token must name one"
    )
    ca_file: Path | None = Field(None, description="PEM of the provider's authority; none: the system's authorities")
    name: str = Field("Single sign-on", description="what the button on the login page names", max_length=60)
    hide_password: bool = Field(False, description="the login page shows no password form, but at /login?local")
    at_once: bool = Field(False, description="who opens an address without a login goes on to the provider by itself")
    two_factors: bool = Field(
        False, description="its logins count as two factors: Radrelay asks for none of its own after them"
    )
    two_factors_acr: tuple[str, ...] = Field((), description="or only those whose acr is one of these")
    two_factors_amr: tuple[str, ...] = Field((), description="or only those whose amr names one of these, such as mfa")
    username_claim: str = Field("preferred_username", description="claim that names a new account")
    name_claim: str = Field("name", description="claim with the name that is shown")
    email_claim: str = Field("email", description="claim with the e-mail address; it binds nobody to an account")
    groups_claim: str = Field("groups", description="claim with the groups; dots lead into it: realm_access.roles")
    allowed_groups: tuple[str, ...] = Field((), description="only members of these come in; none: everybody")
    admin_groups: tuple[str, ...] = Field((), description="their members are administrators, all others users")
    groups: dict[str, str] = Field({}, description="the provider's group = group here that follows it")
    create_accounts: bool = Field(True, description="who comes for the first time gets an account")
    link_claim: str = Field(
        "", description="claim by which who comes for the first time gets their account of the directory; empty: none"
    )
    link_to: Literal["id", "login"] = Field(
        "id", description="what link_claim is compared with: the id of the directory's entry, or its login name"
    )
    logout: Literal["provider", "here"] = Field("provider", description="logging out here logs out there, too")
    timeout_s: float = Field(5.0, description="longest time that one request to the provider may take", gt=0, le=60)
    leeway_s: int = Field(60, description="by how much the provider's clock may differ", ge=0, le=300)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Refuse a provider that is not reached by TLS, and a client that cannot prove who it is."""
        if self.issuer is None:
            return self
        if not is_protected(self.issuer) or urlsplit(self.issuer).query or urlsplit(self.issuer).fragment:
            raise ValueError(f"issuer: {self.issuer!r} is not https://host/path (http:// to this machine alone)")
        if not self.client_id:
            raise ValueError("client_id: a provider needs to know who asks")
        given = [one for one in (self.client_secret, self.client_secret_file, self.client_key_file) if one]
        if len(given) != 1:
            raise ValueError("one of client_secret, client_secret_file and client_key_file has to be set")
        if (self.client_key_file is not None) != (self.client_auth == "private_key_jwt"):
            raise ValueError("client_auth: private_key_jwt goes with client_key_file, the other two with a secret")
        return self


def is_protected(url: str) -> bool:
    """Say whether an address is https://, or http:// to this machine: nothing is sent in the clear elsewhere."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.username or parts.password or parts.port == 0:
            return False
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
