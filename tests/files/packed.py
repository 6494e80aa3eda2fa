"""Packed projects for the tests, honest ones and others."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from orgseg_app.files.images import codecs
from orgseg_app.files.packing import RunToPack, pack
from orgseg_app.files.project_file import ProjectFile
from tests.files.projects import small_project

IDS = [f"{n:x}" * 12 for n in range(10, 16)]


def request(run_id: str, **more: Any) -> dict[str, Any]:
    """What a run was asked."""
    facts = {"format": "orgseg-run", "schema_version": 1, "run": run_id, "kind": "train"}
    return facts | {"name": f"run {run_id[0]}", "created": 1_760_000_000.5, "recipe": None} | more


def run_to_pack(run_id: str, **more: Any) -> RunToPack:
    """A run with a model of three pieces."""
    weights = np.random.default_rng(int(run_id, 16)).integers(0, 256, 2_500_000, np.uint8)
    return RunToPack(
        run_id,
        f"run {run_id[0]}",
        {
            "request.json": json.dumps(request(run_id, **more)).encode(),
            "events.jsonl": b'{"event": "finished", "time": 1.0}\n',
            "metrics.json": b"{}",
            "best.ckpt": weights.tobytes(),
        },
    )


@functools.cache
def _packed_bytes(count: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "p.orgseg")
        with small_project(path.with_name("source.orgseg"), 1) as file:
            pack(file, path, [run_to_pack(run_id) for run_id in IDS[:count]])
        return path.read_bytes()


def packed_project(path: Path, count: int = 2) -> dict[str, dict[str, str]]:
    """A small project with runs inside; the digests of their files, by run."""
    path.write_bytes(_packed_bytes(count))
    runs = [run_to_pack(run_id) for run_id in IDS[:count]]
    return {
        run.run_id: {name: hashlib.sha256(data).hexdigest() for name, data in run.files.items()}
        for run in runs
    }


def put(group: Any, name: str, data: bytes | np.ndarray, **options: Any) -> Any:
    """Put the bytes of a file into a group, as packing does unless told otherwise."""
    if name in group:
        del group[name]
    values = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
    if options:
        group.create_dataset(name, data=values, **options)
    else:
        dataset = codecs.create_dataset(group, name, values.shape, values.dtype, chunk=(2**20,))
        dataset[...] = values
    return group[name]


def change(path: Path, how: Any) -> None:
    """Change a packed file as somebody with bad intentions would."""
    with h5py.File(path, "r+", libver=("v108", "latest")) as file:
        how(file["runs"])


def inside(path: Path) -> dict[str, list[str]]:
    """Names in the group of runs of a file."""
    with h5py.File(path, "r", locking=False) as file:
        return {key: sorted(group) for key, group in file["runs"].items()} if "runs" in file else {}


def laid_out(folder: Path) -> dict[str, dict[str, str]]:
    """The runs in a folder of runs: digests of their files, by the run's id."""
    found = {}
    for place in sorted(folder.iterdir()) if folder.is_dir() else []:
        if place.name.startswith("."):
            continue
        files = {p.name: p.read_bytes() for p in place.iterdir() if p.is_file()}
        run_id = json.loads(files["request.json"])["run"]
        assert run_id not in found
        found[run_id] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return found


def without_request(digests: dict[str, str]) -> dict[str, str]:
    """The request is written anew, without what a stranger might have put into it."""
    return {name: digest for name, digest in digests.items() if name != "request.json"}


def open_and_tell(path: Path) -> list[str]:
    """Open for writing, and close; what it had to say."""
    with ProjectFile.open(path) as file:
        assert not file.read_only
        return list(file.notices)


def tree(folder: Path) -> list[str]:
    """All that lies in a folder and below."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))
