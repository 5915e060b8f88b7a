"""Settings of searching and fetching elsewhere."""

from __future__ import annotations

from pydantic import Field

from radrelay.settings.base import HOUR_S, Section


class RetrieveSettings(Section):
    """Searching archives elsewhere (PACS) and fetching from them."""

    enabled: bool = Field(False, description="let people search archives elsewhere and fetch from them")
    search_limit: int = Field(
        500, description="most studies that one archive is asked for in a search", ge=1, le=10_000
    )
    search_timeout_s: float = Field(20.0, description="an archive must answer a search within so many seconds", gt=0)
    connect_timeout_s: float = Field(10.0, description="an archive must take a connection within so long", gt=0)
    retrieve_timeout_s: float = Field(
        300.0, description="a retrieval is broken off when its archive says nothing for so long", gt=0
    )
    arriving_s: float = Field(20.0, description="what an archive says it has sent must be here so soon after", gt=0)
    concurrency: int = Field(2, description="fetches at once on this machine", ge=1, le=16)
    retry_first_s: float = Field(30.0, description="wait before the first retry of a fetch that is not whole")
    retry_cap_s: float = Field(3600.0, description="longest wait between retries of a fetch")
    retry_for_s: float = Field(24 * HOUR_S, description="a fetch fails for good after so long")
    keep_days: int = Field(30, description="days that ended fetches stay on the list", ge=1)
