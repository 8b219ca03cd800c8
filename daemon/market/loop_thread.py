"""One event loop in one thread, for callers in other threads."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

T = TypeVar("T")

log = logging.getLogger(__name__)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that looks names up in daemon threads.

    asyncio's own way is a thread pool whose threads Python waits for at exit. A resolver that cannot
    reach its servers takes up to half a minute: no time that a daemon has when it is told to stop.
    """

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """As `socket.getaddrinfo`."""
        future: asyncio.Future[Any] = self.create_future()

        def settle(result: Any, error: OSError | UnicodeError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def look_up() -> None:
            result, error = None, None
            try:
                result = socket.getaddrinfo(*args, **kwargs)
            except (OSError, UnicodeError) as exc:
                error = exc
            try:
                self.call_soon_threadsafe(settle, result, error)
            except RuntimeError:
                log.debug("name_looked_up_too_late")  # the loop is closed: nobody waits any more

        threading.Thread(target=look_up, name="market-dns", daemon=True).start()
        return await future


class LoopThread:
    """Runs coroutines for other threads, until it is stopped."""

    def __init__(self, name: str) -> None:
        self._loop = Loop()
        self._lock = threading.Lock()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T] | None:
        """Start a coroutine; None if the loop was stopped. Its future is cancelled by a stop."""
        with self._lock:
            if self._stopped:
                coroutine.close()
                return None
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def stop(self, last: Coroutine[Any, Any, None], timeout_s: float) -> None:
        """Cancel what runs, run ``last``, end the thread; waits ``timeout_s`` at most for each."""
        with self._lock:
            if self._stopped:
                last.close()
                return
            self._stopped = True
            # After everything that was submitted before: whatever was accepted is cancelled by it.
            done = asyncio.run_coroutine_threadsafe(self._wind_up(last, timeout_s), self._loop)
        try:
            done.result(2 * timeout_s)
        except TimeoutError:
            log.warning("market_thread_hangs", extra={"fields": {"thread": self._thread.name}})
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout_s)

    async def _wind_up(self, last: Coroutine[Any, Any, None], timeout_s: float) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                await last
        except TimeoutError:
            log.warning("market_connections_hang", extra={"fields": {"thread": self._thread.name}})

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


class Joint:
    """Work that many may wait for and that runs once at a time.

    A waiter that gives up does not end it for the others, and a later one joins the run under way.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """The run under way, or a new one."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())
            # A failure that nobody waited for is none: whoever needs the result asks again.
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._task

    async def __call__(self) -> None:
        """Wait for the run under way, or a new one; its error is raised."""
        await asyncio.shield(self.start())
