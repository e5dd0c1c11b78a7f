"""Workers on a Ray cluster whose nodes share the zoo's folder (extra `[ray]`).

Ray starts the workers, moves them when a node dies, and ends them with the driver; what they do, and what is done, is
decided by the folder, as for any other worker. Nothing but a path goes through Ray.
"""

import socket
from collections.abc import Callable
from pathlib import Path

from zoo.jobs.status import Status, status
from zoo.jobs.workers import work

LOOK_EVERY = 1.0  # seconds


def run_on_ray(folder: Path, address: str, *, workers: int, device: str = "cpu", report: Callable[[Status], None]) -> None:
    """Runs so many workers on the cluster at that address, until all units are done or have failed.

    Each takes one CPU, and on a GPU one GPU. `auto` finds the cluster that this machine belongs to. Raises
    ImportError without Ray, ConnectionError where there is no cluster, and what a worker raised: OSError where a node
    does not see the folder.
    """
    try:
        import ray
    except ImportError:
        raise ImportError("Ray is not installed; `pip install 'metazoo[ray]'` brings it") from None
    _check_answers(address)
    ray.init(address=address, log_to_driver=False)
    try:
        gpus = int(device.startswith("cuda"))
        task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=-1)(
            _work
        )  # a node's death costs its workers, not the build
        waiting = [task.remote(str(folder.resolve()), device) for _ in range(workers)]
        while waiting:
            ready, waiting = ray.wait(waiting, timeout=LOOK_EVERY)
            for result in ready:
                try:
                    ray.get(result)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from None
            report(status(folder))
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raises ConnectionError where nobody listens at HOST:PORT: Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError as error:
            raise ConnectionError(f"no Ray cluster answers at {address} ({error}); give what `ray start` printed") from None


def _work(folder: str, device: str) -> None:
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{folder}: this node of the cluster does not see the zoo's folder; all must share it")
    work(Path(folder), device=device)
