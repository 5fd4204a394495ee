"""A Dask worker as big as its pilot, which hands its results on before it ends."""

import asyncio
import os
import signal
import sys

from distributed import Worker


async def main() -> int:
    """Work until asked to end; returns the exit code."""
    worker = Worker(
        sys.argv[1],
        name=os.environ["PLANCTON_PILOT"],
        nthreads=max(1, int(float(os.environ["PLANCTON_CPUS"]))),
        memory_limit=int(os.environ["PLANCTON_MEMORY"]),
        local_directory="/work",
        death_timeout=30,
    )

    def leave() -> None:
        leaving.append(asyncio.ensure_future(worker.close_gracefully("its pilot ends")))

    leaving: list[asyncio.Future[None]] = []
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave)
    try:
        await worker
    except (OSError, TimeoutError):
        return 80  # no scheduler, no work
    await worker.finished()
    return 0


sys.exit(asyncio.run(main()))
