"""A Dask client: a computation of two stages on what workers come, while some go.

usage: crowd.py SCHEDULER RESULT
"""

import sys
import time
from pathlib import Path

from distributed import Client  # type: ignore[import-not-found]  # it runs in the image


def think(number: int) -> int:
    """Take a while."""
    time.sleep(1)
    return number


client = Client(sys.argv[1], timeout="60s")
first = client.map(think, range(12), pure=False)
second = client.map(lambda number: think(number) * 2, first, pure=False)
total = client.submit(sum, second)
Path(sys.argv[2]).write_text(str(total.result()))
