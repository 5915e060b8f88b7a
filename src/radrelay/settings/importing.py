"""Settings of fetching from other institutions' portals."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from radrelay.settings.base import GIB, Section


class BrowserSettings(Section):
    """A browser for portals that need one: recipes with `browser = true` are walked in it, and nothing else."""

    enabled: bool = Field(
        False, description="portals whose recipes say so are walked in a browser, in a restricted process of its own"
    )
    program: str = Field(
        "chromium", description="Chromium, by its path or a name that is found; chromium-headless-shell starts faster"
    )
    at_once: int = Field(2, description="so many browsers at once, those that wait for a person included", ge=1, le=16)
    walk_timeout_s: float = Field(600.0, description="a walk must come to its downloads within so long", gt=0)
    answer_timeout_s: float = Field(600.0, description="a person must answer within so long", gt=0, le=3600)
    memory_bytes: int = Field(4 * GIB, description="memory of all processes of one browser", ge=GIB // 2)


class ImporterSettings(Section):
    """Fetching from other institutions' portals by the links that patients bring, and the way out to them."""

    hosts: tuple[str, ...] = Field(
        (), description="hosts that need no confirming by an administrator: portal.example, *.clinic.example"
    )
    ca_file: Path | None = Field(
        None, description="PEM of authorities that portals' certificates are checked by; none: the system's"
    )
    proxy: str | None = Field(
        None, description="the site's way out: http://host:port; none: directly", pattern=r"^http://[^/\s@?#]+$"
    )
    proxy_login_file: Path | None = Field(None, description="file that holds name:password for the proxy")
    proxy_resolves: bool = Field(
        False,
        description="the proxy resolves portals' names and keeps this house's addresses from them; without, they are"
        " resolved and judged here, and the proxy is asked for addresses",
    )
    connect_timeout_s: float = Field(10.0, description="a portal must take a connection within so long", gt=0)
    idle_timeout_s: float = Field(30.0, description="a portal that sends nothing for so long is left", gt=0)
    answer_timeout_s: float = Field(60.0, description="a portal must answer a question within so long", gt=0)
    packing_timeout_s: float = Field(
        300.0,
        description="a portal, which may pack first, must begin a download within so long; it is not asked twice",
        gt=0,
    )
    whole_timeout_s: float = Field(4 * 3600.0, description="a download is given up after so long", gt=0)
    largest_bytes: int = Field(16 * GIB, description="largest single download that is taken", gt=0)
    import_timeout_s: float = Field(
        12 * 3600.0,
        description="an import is given up after it was fetched for so long, all its downloads together",
        gt=0,
    )
    import_bytes: int = Field(64 * GIB, description="all that one import brings, unpacked as it comes", gt=0)
    keep_raw_s: float = Field(
        7 * 24 * 3600.0,
        description="what was fetched is kept so long as it came, to be checked and taken back; the source's time ends"
        " it earlier",
        gt=0,
        le=7 * 24 * 3600.0,
    )
    keep_filed_s: float = Field(
        3 * 24 * 3600.0,
        description="so long after all of an import is filed it can be taken back as it came; then what came goes, and"
        " whom it named",
        gt=0,
        le=7 * 24 * 3600.0,
    )
    concurrency: int = Field(
        4,
        description="so many imports are fetched, checked or filed at once; those that are fetched from one portal take"
        " half of it at most, and not the last place",
        ge=1,
        le=16,
    )
    trial: bool = Field(
        False,
        description="portals on this machine pass, not encrypted too: for trials and tests, never in a house",
    )
    most_attempts: int = Field(5, description="answers that are sent in vain for one link", ge=1, le=20)
    browser: BrowserSettings = BrowserSettings()
    most_by_patients: int = Field(
        100, description="so many imports that patients begin by the page may wait at once, of an organisation", ge=1
    )
    recipes: Path | None = Field(
        None, description="folder of recipes (*.toml) for portals of no common language; read anew when a file changes"
    )

    service_address: str | None = Field(
        None,
        description="e-mail address of who looks after fetching: reports of failed portals go there; none: they are"
        " listed for administrators alone",
        max_length=254,
        pattern=r"^[^@\s]+@[^@\s]+$",
    )

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, named: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is no host, and what would allow all hosts of a country or of the world."""
        for one in named:
            plain = one.removeprefix("*.")
            if "." not in plain or any(c in plain for c in "*/@ ") or plain.startswith("."):
                raise ValueError(f"hosts: {one!r} is no host (portal.example, portal.example:8443, *.clinic.example)")
        return tuple(one.lower() for one in named)
