"""A fault that `foldline chaos` has to find: Python imports this at the start of every process that has this
folder on its path, and here schedulers lose one rule.

An order that is sent again, since its session does not seem to have got it, goes to another session as well,
under the same attempt. Without faults none is.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar


def plant() -> None:
    from foldline.bus import subjects
    from foldline.domain.assignments import work_for
    from foldline.domain.work import Heartbeat
    from foldline.wire import work as wire
    from foldline_scheduler import listener, orders
    from foldline_scheduler.partitions import partition_of

    hear, reconcile, dispatch = (
        listener.Listener.on_heartbeat,
        listener.Listener._reconcile,
        orders.Orders.dispatch,
    )
    is_again: ContextVar[bool] = ContextVar("is_again", default=False)
    present: set[str] = set()

    async def on_heartbeat(self, message):  # type: ignore[no-untyped-def]
        present.add(wire.decode(Heartbeat, message.body).session)
        await hear(self, message)

    async def _reconcile(self, beat, now):  # type: ignore[no-untyped-def]
        token = is_again.set(True)
        try:
            await reconcile(self, beat, now)
        finally:
            is_again.reset(token)

    async def dispatch_wrongly(self, run, steps, now):  # type: ignore[no-untyped-def]
        await dispatch(self, run, steps, now)
        for step in steps if is_again.get() else ():
            if others := sorted(present - {run.state.step(step).attempts[-1].executor}):
                work = work_for(run.state, step, partition_of(run.run_id))
                await self._bus.publish(subjects.work(others[-1]), wire.encode_all([work]))

    listener.Listener.on_heartbeat = on_heartbeat  # type: ignore[method-assign]
    listener.Listener._reconcile = _reconcile  # type: ignore[method-assign]
    orders.Orders.dispatch = dispatch_wrongly  # type: ignore[method-assign]


if "foldline_scheduler" in sys.orig_argv:
    plant()
