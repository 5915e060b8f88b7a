"""What the web role measures for Prometheus: requests by route template, method and status class, and their time."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measurements:
    """The web role's metrics in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._seconds = Histogram(
            "radrelay_http_request_seconds", "time from request to end of response", ("method", "route"),
            buckets=BUCKETS, registry=registry,
        )  # fmt: skip
        self._requests = Counter(
            "radrelay_http_requests", "requests answered", ("method", "route", "status"), registry=registry
        )
        self.uploaded_bytes = Counter("radrelay_http_uploaded_bytes", "bytes of uploads taken", registry=registry)
        self.refused_logins = Counter("radrelay_logins_refused", "logins refused", ("reason",), registry=registry)
        self.live_listeners = Gauge("radrelay_live_listeners", "browsers that listen for changes", registry=registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        method = method if method in METHODS else "OTHER"
        self._seconds.labels(method, route).observe(seconds)
        self._requests.labels(method, route, f"{status // 100}xx" if status else "none").inc()
