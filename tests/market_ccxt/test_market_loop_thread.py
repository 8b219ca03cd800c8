import asyncio
import socket
import threading

import pytest

from daemon.market.loop_thread import Joint, LoopThread


async def nothing():
    pass


@pytest.fixture
def loop_thread():
    thread = LoopThread("loop")
    yield thread
    thread.stop(nothing(), 60.0)


def test_it_runs_a_coroutine_elsewhere(loop_thread):
    async def where():
        return threading.current_thread().name

    assert loop_thread.submit(where()).result(60) == "loop"


def test_a_stop_cancels_and_ends_the_thread(loop_thread):
    seen = []

    async def last():
        seen.append("last")

    future = loop_thread.submit(asyncio.sleep(100))
    loop_thread.stop(last(), 60.0)
    assert future.cancelled()
    assert seen == ["last"]
    assert "loop" not in {thread.name for thread in threading.enumerate()}
    assert loop_thread.submit(nothing()) is None


def test_a_stop_does_not_wait_for_a_resolver(loop_thread, monkeypatch):
    asked, answer = threading.Event(), threading.Event()

    def stuck(*_args, **_kwargs):
        asked.set()
        answer.wait(600)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stuck)

    async def look_up():
        return await asyncio.get_running_loop().getaddrinfo("exchange.example", 443)

    future = loop_thread.submit(look_up())
    assert asked.wait(60)
    loop_thread.stop(nothing(), 60.0)
    assert future.cancelled()
    resolver = next(thread for thread in threading.enumerate() if thread.name == "market-dns")
    assert resolver.daemon
    answer.set()  # the answer comes when nobody waits any more
    resolver.join(60)


def test_names_are_looked_up(loop_thread):
    async def look_up(name):
        return await asyncio.get_running_loop().getaddrinfo(name, 80, type=socket.SOCK_STREAM)

    assert loop_thread.submit(look_up("127.0.0.1")).result(60)[0][4] == ("127.0.0.1", 80)
    with pytest.raises(OSError, match=r"\d"):
        loop_thread.submit(look_up("256.256.256.256.invalid")).result(60)


def test_many_wait_for_one_run(loop_thread):
    runs = []

    async def three():
        go_on = asyncio.Event()

        async def work():
            runs.append(1)
            await go_on.wait()

        async def waits():
            for _ in range(5):  # everybody has had a turn
                await asyncio.sleep(0)

        joint = Joint(work)
        impatient = asyncio.create_task(joint())
        await waits()
        impatient.cancel()
        others = [asyncio.create_task(joint()) for _ in range(2)]
        await waits()
        assert len(runs) == 1
        go_on.set()
        await asyncio.gather(*others)
        await joint()

    loop_thread.submit(three()).result(60)
    assert len(runs) == 2


def test_a_failure_is_everybodys_and_the_next_run_is_new(loop_thread):
    async def work():
        raise ValueError("no")

    async def twice():
        joint = Joint(work)
        return await asyncio.gather(joint(), joint(), return_exceptions=True)

    assert [str(exc) for exc in loop_thread.submit(twice()).result(60)] == ["no", "no"]
