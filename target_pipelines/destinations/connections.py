"""Opens connections, directly or through any proxy, with the same guards on all of them.

Each has a deadline from its first packet on, reads the heads of responses strictly, and trusts the
same certificates.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

from target_pipelines.destinations.response_head import CompleteHeadResponse

if TYPE_CHECKING:
    import ssl

    from target_pipelines.destinations.deadline import Deadline

_REFUSED_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})\b")  # Source: http.client


class TunnelRefused(OSError):  # noqa: N818 - reads as what happened
    """A proxy answered CONNECT with `status`, and opened no way to the API."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the proxy answered CONNECT with {status}")
        self.status = status


class GuardedAdapter(HTTPAdapter):
    """Sends the requests of one session within its deadline; one connection at a time."""

    def __init__(self, deadline: Deadline, context: ssl.SSLContext) -> None:
        self._deadline = deadline
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Open direct connections with the guards."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self._guard(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Open connections through a proxy with the guards."""
        if proxy in self.proxy_manager:
            return self.proxy_manager[proxy]
        kwargs["ssl_context"] = self._context
        if not proxy.lower().startswith("socks"):  # which has no TLS of its own
            kwargs["proxy_ssl_context"] = self._context
        manager = super().proxy_manager_for(proxy, **kwargs)
        self._guard(manager)
        return manager

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        """Where to connect to; the context alone says which certificates are trusted."""
        place, _ = super().build_connection_pool_key_attributes(*args, **kwargs)
        return place, {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Do nothing: by default a proxy's certificate would not be verified for http:// URLs."""

    def _guard(self, manager: Any) -> None:
        manager.pool_classes_by_scheme = {
            scheme: _guarded(pool_class, self._deadline)
            for scheme, pool_class in manager.pool_classes_by_scheme.items()
        }


def _guarded(pool_class: Any, deadline: Deadline) -> Any:
    """A class of pools whose connections have the guards."""

    class Connection(pool_class.ConnectionCls):  # type: ignore[misc]
        response_class = CompleteHeadResponse

        def _new_conn(self) -> Any:
            opened = super()._new_conn()
            try:
                deadline.watch(opened)  # looking the name up may have taken long
            except BaseException:
                opened.close()
                raise
            return opened

        def connect(self) -> None:
            super().connect()
            deadline.check()

        def _tunnel(self) -> None:
            try:
                super()._tunnel()
            except OSError as error:
                if found := _REFUSED_TUNNEL.match(str(error)):
                    raise TunnelRefused(int(found[1])) from error
                raise

    return type(pool_class.__name__, (pool_class,), {"ConnectionCls": Connection})
