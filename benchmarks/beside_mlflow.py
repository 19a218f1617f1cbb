"""``mlflow models serve`` with the trees of a release: one-row requests whose features are in the request."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np
from environments import environment
from pydantic_core import to_json
from service_load import JSON

from homeostat.models.lightgbm import Trees

VERSION = "3.17.2"
SAVE = "import sys, lightgbm, mlflow; mlflow.lightgbm.save_model(lightgbm.Booster(model_file=sys.argv[1]), sys.argv[2])"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


@contextmanager
def serving(folder: Path, environments: Path, trees: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """One worker of MLflow's server over the trees; its address and the headers of a request."""
    bin = environment(environments, "mlflow", f"mlflow=={VERSION}", f"lightgbm=={metadata.version('lightgbm')}")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | QUIET | {"PATH": f"{bin}:{os.environ['PATH']}"}
    model, log = folder / "mlflow-model", folder / "mlflow.log"
    subprocess.run([bin / "python", "-W", "ignore", "-c", SAVE, trees, model], check=True, env=env, cwd=folder,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    port = _free()
    command = [bin / "mlflow", "models", "serve", "-m", model, "--env-manager", "local", "-h", "127.0.0.1"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "-p", str(port), "-w", "1"], stdout=out, stderr=subprocess.STDOUT, env=env, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", JSON
    finally:
        os.killpg(process.pid, 15)  # its own group, with the server that it has started
        process.wait(60)


def bodies(trees: Trees, matrix: np.ndarray) -> list[bytes]:
    """One request a row; a missing value is sent as zero, which costs the same."""
    names = [f"f{n}" for n in range(len(trees.encoded))]
    rows = np.nan_to_num(matrix).tolist()
    return [to_json({"dataframe_split": {"columns": names, "data": [row]}}) for row in rows]


def _free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
