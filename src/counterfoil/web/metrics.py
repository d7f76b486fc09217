"""What is counted for whoever watches the server: `/metrics`, in the format of Prometheus.

Several processes count into files of one folder, which the environment names (`PROMETHEUS_MULTIPROC_DIR`), and any of
them answers for all.  A route is its template: no label holds anything of a customer.

Source: docs/operations/server.md#metrics.
"""

from __future__ import annotations

import os
from typing import Final

from fastapi import Request
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

# When a series began says nothing that its start does not.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        # Its count is how many requests there were.
        self._requests = Histogram(
            "counterfoil_http_request_seconds",
            "From the headers of a request to the end of its answer.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._deltas = Counter(
            "counterfoil_deltas",
            "Deltas that were sent: recorded, replayed or refused.",
            ("outcome",),
            registry=self._registry,
        )
        # To find the children of labels costs more than to count.
        self._found: dict[tuple[str, str, int], Histogram] = {}
        self._outcomes = {name: self._deltas.labels(name) for name in ("recorded", "replayed", "refused")}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer.

        Args:
            method: of the request.
            route: the template of its path.
            status: of the answer.
            seconds: that it took.
        """
        key = (method if method in _METHODS else "OTHER", route, status)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._requests.labels(*key)
        found.observe(seconds)

    def deltas(self, outcome: str, count: int = 1) -> None:
        """Count deltas that were `recorded`, `replayed` or `refused`."""
        self._outcomes[outcome].inc(count)

    def text(self) -> bytes:
        """Return all of it, of all processes that count together."""
        registry = self._registry
        if os.environ.get(_FOLDER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def metrics_of(request: Request) -> Metrics:
    """Return where the application of a request counts."""
    metrics: Metrics = request.app.metrics
    return metrics
