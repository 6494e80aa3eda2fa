"""The door for strangers' projects: what it refuses, what it costs, and that it touches nothing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import h5py
import numpy as np
import pytest

from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images import codecs
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.safety import child, gate, gate_child, known_files
from tests.files.hostile import sound_project
from tests.files.projects import ROOT


@pytest.fixture
def path(tmp_path):
    """A sound project that this computer does not know."""
    sound_project(tmp_path / "p.orgseg")
    return tmp_path / "p.orgseg"


# -- sound files -----------------------------------------------------------------------------------


def test_a_sound_stranger_comes_in_and_is_known_from_then_on(path, monkeypatch):
    before = path.read_bytes()
    assert not known_files.is_known(path)
    gate.admit(path)
    assert known_files.is_known(path)
    assert path.read_bytes() == before
    monkeypatch.setattr(gate, "Child", None)  # nobody is asked
    gate.admit(path)
    with ProjectFile.open(path, read_only=True) as file:
        assert len(file.project.images) == 2


def test_a_stranger_is_not_opened_here_before_it_is_let_in(path, monkeypatch):
    def opened(*_, **__):
        raise AssertionError("opened in this process")

    monkeypatch.setattr(h5py, "File", opened)
    gate.admit(path)


def test_all_blocks_are_read_when_asked_for(path):
    assert gate_child.look_at(path, whole=True)["unreadable"] == 0
    with h5py.File(path) as file:
        pixels = next(iter(file["images"].values()))["pixels"]
        at = pixels.id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[at + 10] ^= 1
    path.write_bytes(data)
    assert gate_child.look_at(path, whole=True)["unreadable"] == 1
    gate.admit(path, whole=True)  # a damaged block is named when it is needed; the rest is whole
    assert known_files.is_known(path)


def test_the_fast_codecs_are_let_in(path):
    pytest.importorskip("hdf5plugin")
    with h5py.File(path, "r+", libver=("v108", "v108")) as file:
        group = next(iter(file["images"].values()))
        for layer, filters in (("mask", codecs.FAST.mask), ("pixels", codecs.FAST.pixels)):
            shape, dtype = group[layer].shape, group[layer].dtype
            del group[layer]
            chunk = (1,) * (len(shape) - 2) + (64, 64)
            data = codecs.create_dataset(group, layer, shape, dtype, chunk=chunk, filters=filters)
            data[...] = 3
    gate.admit(path, whole=True)
    assert gate_child.look_at(path, whole=True)["unreadable"] == 0


def test_what_is_no_project_is_said_without_a_child(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "Child", None)
    path = tmp_path / "x.orgseg"
    sentences = {}
    for what, make in {
        "missing": lambda: None,
        "empty": lambda: path.write_bytes(b""),
        "text": lambda: path.write_text("some notes " * 1000),
    }.items():
        make()
        with pytest.raises(ProjectError) as caught:
            gate.admit(path)
        sentences[what] = str(caught.value)
    assert "There is no file" in sentences["missing"]
    assert "is empty" in sentences["empty"]
    assert "not an OrgSeg project, nor any HDF5 file" in sentences["text"]
    with pytest.raises(ProjectError, match="is a folder"):
        gate.admit(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "p.orgseg")
    with pytest.raises(ProjectError, match="not a file that can be opened"):
        gate.admit(tmp_path / "p.orgseg")


def test_another_hdf5_file_is_no_project(tmp_path):
    path = tmp_path / "x.orgseg"
    with h5py.File(path, "w") as file:
        file["volume"] = np.zeros(9)
    with pytest.raises(ProjectError, match="an HDF5 file, but not an OrgSeg project"):
        gate.admit(path)


def test_a_file_that_changes_while_it_is_looked_at_is_not_known(path, monkeypatch):
    real = gate._ask

    def ask(*arguments, **options):
        verdict = real(*arguments, **options)
        with path.open("ab") as stream:
            stream.write(b"something else")
        return verdict

    monkeypatch.setattr(gate, "_ask", ask)
    gate.admit(path)
    assert not known_files.is_known(path)


def test_random_damage_is_refused_or_harmless(path):
    good, rng, refused = path.read_bytes(), random.Random(5), 0
    for _ in range(20):
        bad = bytearray(good)
        for _ in range(rng.choice((1, 8, 64))):
            bad[rng.randrange(4096, len(bad))] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        try:
            gate.admit(path)
        except ProjectError as error:
            refused += 1
            assert str(error).endswith(".")
    assert refused > 3


# -- children that do not come back ----------------------------------------------------------------


def child_that(monkeypatch, what):
    """Let the child do something else than look: ``what`` is the body of `look_at`."""
    code = (
        "import os, sys, time\n"
        "from orgseg_app.files.safety import gate_child\n"
        "from orgseg_app.files.errors import ProjectError\n"
        "def say(data):\n"
        "    for pipe in range(3, 64):\n"
        "        try: os.write(pipe, data)\n"
        "        except OSError: pass\n"
        "def look_at(path, whole=False, pages=None):\n"
        f"    {what}\n"
        "gate_child.look_at = look_at\n"
        "gate_child.run_gate()\n"
    )
    monkeypatch.setattr(child, "program_command", lambda *_: [sys.executable, "-c", code])


def refusal(path):
    before = path.read_bytes()
    with pytest.raises(ProjectError) as caught:
        gate.admit(path)
    message = str(caught.value)
    assert message.startswith("“p.orgseg” ")
    assert message.endswith(".")
    assert "\n" not in message
    assert not known_files.is_known(path)
    assert path.read_bytes() == before
    return message


def test_the_stand_in_for_the_child_works(path, monkeypatch):
    child_that(monkeypatch, 'return {"admitted": True}')
    gate.admit(path)
    assert known_files.is_known(path)


@pytest.mark.parametrize(
    "what",
    [
        "os.abort()",
        "os.kill(os.getpid(), 11)",
        "os._exit(0)",
        "raise SystemExit",
        "say(b'half a line'); os._exit(1)",
        "say(b'{}')",
        "say(b'no JSON' + bytes([10]))",
        "say(b'[' * 100_000 + bytes([10]))",
        "[say(b'a line without an end' * 2**16) for _ in range(200)]",
        'return {"admitted": 1}',
        "return {}",
        "return [1]",
    ],
)
def test_a_child_that_breaks_off_or_talks_nonsense(path, monkeypatch, what):
    child_that(monkeypatch, what)
    assert "was made to do harm" in refusal(path)


def test_a_child_that_computes_for_ever(path, monkeypatch):
    monkeypatch.setattr(gate, "_CPU_S", 0.3)
    child_that(monkeypatch, "while True: pass")
    assert "too long" in refusal(path) or "longer than" in refusal(path)


def test_a_child_that_waits_for_ever(path, monkeypatch):
    monkeypatch.setattr(gate, "_WALL_S", 0.7)
    child_that(monkeypatch, "time.sleep(1000)")
    assert "longer than" in refusal(path)


HOARD = "hoard = [bytearray(2**24) for _ in range(200)]; time.sleep(100)"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory from within")
def test_a_child_that_hoards_memory_is_stopped_from_within(path, monkeypatch):
    monkeypatch.setattr(child, "_taken", lambda pid: (0, 0.0))  # nobody watches
    child_that(monkeypatch, HOARD)
    assert "more memory to open than any project" in refusal(path)


def test_a_child_that_hoards_memory_is_stopped_from_outside(path, monkeypatch):
    child_that(monkeypatch, f"gate_child.limit_memory(2**40); {HOARD}")
    assert "MB of memory" in refusal(path)


def test_without_limits_a_hoarding_child_goes_on(path, monkeypatch):
    """The control: with neither limit, the same child gets all it wants."""
    monkeypatch.setattr(child, "_taken", lambda pid: (0, 0.0))
    monkeypatch.setattr(gate, "MEMORY_BUDGET", 2**40)
    wanted = 'len([bytearray(2**24) for _ in range(30)]); return {"admitted": True}'
    child_that(monkeypatch, wanted)
    gate.admit(path)
    assert known_files.is_known(path)


def test_a_refusal_is_cleaned_before_it_is_shown(path, monkeypatch):
    child_that(monkeypatch, 'raise ProjectError("“p.orgseg” <b>is</b>\\n\\u202e bad" * 100 + ".")')
    with pytest.raises(ProjectError) as caught:
        gate.admit(path)
    message = str(caught.value)
    assert len(message) <= 1000
    assert "\n" not in message
    assert "\u202e" not in message


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_child_may_not_write(path, monkeypatch):
    body = (
        "open(str(path) + '.written', 'wb').close()\n"
        "    try:\n"
        "        with open(str(path) + '.written', 'r+b', buffering=0) as s: s.write(b'x')\n"
        "    except OSError as error:\n"
        "        raise ProjectError('“p.orgseg” refused: ' + error.strerror + '.')\n"
        '    return {"admitted": True}'
    )
    child_that(monkeypatch, body)
    assert "too large" in refusal(path)  # files may not grow
    assert path.with_name("p.orgseg.written").stat().st_size == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_crash_leaves_no_core_file(path, monkeypatch):
    body = (
        "import resource\n"
        "    raise ProjectError(f'“p.orgseg” {resource.getrlimit(resource.RLIMIT_CORE)}.')"
    )
    child_that(monkeypatch, body)
    assert "(0, 0)" in refusal(path)


def test_what_libraries_print_does_not_disturb_the_answer(path, monkeypatch):
    child_that(monkeypatch, 'print("chatter"); os.write(1, b"more"); return {"admitted": True}')
    gate.admit(path)


def test_a_child_that_cannot_start_blames_nobody(path, monkeypatch):
    monkeypatch.setattr(child, "program_command", lambda *_: [str(path.parent / "no such program")])
    message = refusal(path)
    assert "did not let one start" in message
    assert "harm" not in message


def test_plug_ins_are_out_of_reach(path, monkeypatch):
    assert h5py.h5pl.size() == 0  # here
    monkeypatch.setenv("HDF5_PLUGIN_PATH", str(path.parent))
    child_that(
        monkeypatch,
        "raise ProjectError(f'“p.orgseg” {gate_child.h5py.h5pl.size()} '"
        " + os.environ['HDF5_PLUGIN_PATH'] + os.environ['HDF5_PLUGIN_PRELOAD'] + '.')",
    )
    assert refusal(path) == "“p.orgseg” 0 ::."


def test_a_frozen_app_starts_itself(monkeypatch):
    started = []

    def popen(command, **options):
        started.append((command, options["env"]))
        raise OSError(2, "stop here")

    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(child.subprocess, "Popen", popen)
    with pytest.raises(child.ChildStartError):
        child.Child("--gate")
    assert started[0][0] == [sys.executable, "--gate"]
    assert started[0][1]["OPENBLAS_NUM_THREADS"] == "1"


def test_the_child_is_started_by_this_program(path):
    """The command line that users have knows it, and says nothing of it in its help."""
    done = subprocess.run(
        [sys.executable, "-m", "orgseg_app", "--help"], capture_output=True, text=True, cwd=ROOT
    )
    assert "--gate" not in done.stdout
    question = {"path": str(path), "whole": True, "memory": 2**29, "cpu_s": 30}
    done = subprocess.run(
        [sys.executable, "-m", "orgseg_app", "--gate"],
        input=json.dumps(question) + "\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert json.loads(done.stdout)["admitted"] is True


def test_the_child_imports_little():
    code = (
        "import sys; import orgseg_app.files.safety.gate_child\n"
        "print([m for m in ('cv2','tifffile','imagecodecs','scipy','PySide6','torch','psutil',"
        "'hdf5plugin','msgspec') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_many_images_take_no_more_memory_than_one(path):
    """What was looked at is let go of: a project of 200 images is none that takes too much."""
    with h5py.File(path, "r+") as file:
        for number in range(800):
            file.create_dataset(
                f"more/{number}", (700, 700), np.uint8, chunks=(700, 700), compression=1
            )[...] = 7
    assert 800 * 700 * 700 > 1.1 * gate.MEMORY_BUDGET  # noqa: SIM300
    gate.admit(path)
