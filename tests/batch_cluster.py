"""A batch on a cluster of this machine, of whose nodes one is killed; see batch_kills.py.

python tests/batch_cluster.py SOURCE OUT FILES    # after so many files a node goes
"""

import os
import sys
import threading
import time
import warnings
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_agent_register_timeout_ms"] = "240000"  # noqa: SIM112  on a busy machine

import psutil
from ray._private import services
from ray.cluster_utils import Cluster

from audio_emotion.batch.parts import Parts
from audio_emotion.batch.run import Tally
from batching import batch

PATIENCE = 240.0  # s in which a node must be there; Ray itself waits for 30 s
get_node = services.get_node


def patient(*arguments: Any) -> Any:
    """Return what Ray knows of a node, once it knows it."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return get_node(*arguments)
        except RuntimeError:
            if time.monotonic() > end:
                raise


def main(source: str, out: str, files: int) -> None:
    """Work off a batch, and kill a node with its raylet and its workers on the way."""
    warnings.simplefilter("ignore")
    services.get_node = patient
    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    doomed = cluster.add_node(num_cpus=1)
    for _ in range(int(os.environ.get("NODES", 2)) - 2):
        cluster.add_node(num_cpus=1)
    tally = Tally()

    def kill() -> None:
        while tally.files < files:
            if ended.wait(0.1):
                return
        raylet = doomed.all_processes["raylet"][0].process
        for process in (*psutil.Process(raylet.pid).children(recursive=True), raylet):
            process.kill()
        print("a node is gone", flush=True)

    ended = threading.Event()
    threading.Thread(target=kill, daemon=True).start()
    found = batch(out, source, cluster=cluster.address)
    found.run(Parts(found.folder, found.plan()), tally)
    ended.set()
    cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
