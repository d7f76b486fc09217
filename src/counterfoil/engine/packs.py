"""Evidence packs: whole logs, from stored bytes, as far as checkpoints cover them.

Source: docs/spec/pack.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from counterfoil.core.encoding import decode_utf8
from counterfoil.core.pack.lines import PackWriter
from counterfoil.engine.operator import Operator
from counterfoil.engine.store import Store
from counterfoil.engine.stored import iter_checkpoints, log_corrupt, require_head

_PAGE: Final = 4_096


def pack_lines(
    store: Store,
    operator: Operator,
    tenant: str,
    logs: Iterable[bytes],
    *,
    progress: Callable[[int], object] = lambda _: None,
) -> Iterator[bytes]:
    """Yield the lines of a pack of some logs, each with its newline.

    A log without a checkpoint is not in it: nothing of it could be proven.

    Args:
        store: where the logs are.
        operator: whose they are.
        tenant: whose customers.
        logs: ascending.
        progress: told how many entries were written since the last call.

    Raises:
        EngineError: `customer-not-found`, `log-corrupt`, or what the store says.
    """
    writer = PackWriter()
    yield writer.header(operator.name)
    for log in logs:
        with store.read() as view:
            size = require_head(view, tenant, log).checkpoint_size
        if not size:
            continue
        yield writer.log(operator.origin(tenant, log))
        checkpoints = iter_checkpoints(store, log)
        due = next(checkpoints, None)
        for start in range(0, size, _PAGE):
            end = min(start + _PAGE, size)
            with store.read() as view:
                rows = view.entries(log, start, end)
            if len(rows) != end - start:
                raise log_corrupt(log, f"entries are missing between {start} and {end}")
            for row in rows:
                yield writer.entry(row.entry, row.salt, row.value)
                # Those that were published since the head was read are left to the next pack.
                if due is not None and due.size == row.index + 1:
                    yield writer.checkpoint(decode_utf8(due.note, what="note"))
                    due = next(checkpoints, None)
            progress(len(rows))
    yield writer.end()
