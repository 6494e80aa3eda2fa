"""Which program computes: the pack's after its test, this one otherwise, with the reason kept."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orgseg_app.gpu import check, choice, situation
from orgseg_app.gpu.choice import SelfTest, as_its_own, chosen_pack, last_test, worker_command
from orgseg_app.gpu.driver import Driver
from orgseg_app.gpu.errors import CancelledError
from orgseg_app.gpu.install import remove
from orgseg_app.program import program_command
from orgseg_app.runs import launcher
from tests.gpu.packs import DRIVER, PASSED, SAYS, installed_pack

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the pack's program is a script")

OURS = program_command("--job", "X")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def one_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "find_driver", lambda: DRIVER)
    monkeypatch.setattr(situation, "find_driver", lambda: DRIVER)
    monkeypatch.setattr(situation, "platform_name", lambda: "linux-x86_64")


def test_the_pack_computes_after_its_test_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert worker_command("--job", "X") == OURS
    pack = installed_pack(tmp_path, passed=False)
    assert worker_command("--job", "X") == OURS
    test = check.self_test(pack)
    assert (test.passed, test.times_cpu, test.driver) == (True, 11.4, DRIVER.version)
    assert last_test(pack) == test
    assert worker_command("--job", "X") == [str(pack.program), "--job", "X"]
    assert launcher.job_command(Path("X")) == [str(pack.program), "--job", "X"]
    monkeypatch.setenv("ORGSEG_DEVICE", "cpu")
    assert worker_command("--job", "X") == OURS
    monkeypatch.delenv("ORGSEG_DEVICE")
    with monkeypatch.context() as newer:
        newer.setattr("orgseg_app.gpu.install.__version__", "99.0")
        assert worker_command("--job", "X") == OURS
    assert worker_command("--job", "X") != OURS
    pack.program.write_bytes(b"")  # cut off
    assert worker_command("--job", "X") == OURS
    remove()
    assert worker_command("--job", "X") == OURS


NO_CARD = {
    "passed": False,
    "reason": "PyTorch finds no card that answers (CUDA error)",
    "device": "",
}


@pytest.mark.parametrize(
    "test, reason",
    [
        (SAYS.format(words=json.dumps(NO_CARD)), NO_CARD["reason"]),
        (SAYS.format(words='{"passed": true}'), "the self-test named no device"),
        (
            SAYS.format(words='{"passed": true, "device": "CPU · 2 threads · fp32"}'),
            "the pack itself computes on the processor",
        ),
        (SAYS.format(words="nonsense"), "the program that computes ended with code 0"),
        (
            SAYS.format(words='{"passed": "perhaps"}'),
            "the self-test gave no answer that can be read",
        ),
        ("    sys.exit('libcudart.so.13: cannot open')", "code 1: libcudart.so.13: cannot open"),
        (
            "    import os; os.kill(os.getpid(), 11)",
            "the program that computes crashed (signal 11)",
        ),
    ],
)
def test_a_test_that_fails_keeps_the_processor_and_its_reason(
    tmp_path: Path, test: str, reason: str
) -> None:
    pack = installed_pack(tmp_path, test, passed=False)
    found = check.self_test(pack)
    assert not found.passed
    assert reason in found.reason
    assert last_test(pack) == found
    assert chosen_pack() is None
    verdict = situation.judge(situation.look())
    assert verdict.sentence == (
        f"NVIDIA RTX 4070 with driver 580.82 is not used: {found.reason}; training runs on the "
        "processor."
    )
    assert verdict.to_do == "test"


def test_a_test_that_hangs_is_ended(tmp_path: Path) -> None:
    pack = installed_pack(tmp_path, "    import time; time.sleep(600)", passed=False)
    found = check.self_test(pack, limit_s=0.2)
    assert found.reason == "the program that computes did not answer within 0 seconds"
    assert not found.passed
    with pytest.raises(CancelledError):
        check.self_test(pack, is_cancelled=lambda: True)
    assert last_test(pack) == found  # what was known holds


def test_a_failed_test_can_be_done_again(tmp_path: Path) -> None:
    pack = installed_pack(tmp_path, passed=False)
    choice.remember(SelfTest(False, "it was hot", pack=pack.sha256, driver=DRIVER.version))
    assert chosen_pack() is None
    assert check.self_test(pack).passed
    assert chosen_pack() == pack


@pytest.mark.parametrize("text", ["", "[]", '{"passed": 3}', "\xff"])
def test_a_damaged_note_of_the_test_is_no_test(tmp_path: Path, text: str) -> None:
    pack = installed_pack(tmp_path)
    assert chosen_pack() == pack
    (pack.folder.parent / "self_test.json").write_bytes(text.encode("latin-1"))
    assert chosen_pack() is None


def _wait_for(there: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_job_is_done_by_the_pack(tmp_path: Path) -> None:
    installed_pack(tmp_path / "pack")
    run = tmp_path / "run"
    run.mkdir()
    launcher.start_detached(launcher.job_command(run), run / "log.txt")
    _wait_for((run / "started by the pack").exists)


def test_a_pack_that_does_not_start_leaves_the_job_to_this_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = installed_pack(tmp_path / "pack")
    pack.program.chmod(0o644)  # as on a disk from which no programs may be started
    script = f"import pathlib; pathlib.Path({str(tmp_path)!r}, 'ours').touch()"
    monkeypatch.setattr(choice, "program_command", lambda *_: [sys.executable, "-c", script])

    class Folder:
        path, log_path = tmp_path, tmp_path / "log.txt"

    launcher._start_job(Folder())  # type: ignore[arg-type]
    _wait_for((tmp_path / "ours").exists)
    test = last_test(pack)
    assert test is not None
    assert test.reason == "the program that computes does not start (Permission denied)"
    assert chosen_pack() is None
    assert not choice.give_up_on(["/bin/true"], "another program")


def test_a_frozen_program_finds_its_own_libraries_and_not_ours() -> None:
    frozen = {"LD_LIBRARY_PATH": "/app/lib:/usr/x", "LD_LIBRARY_PATH_ORIG": "/usr/x",
              "_PYI_ARCHIVE_FILE": "/app/orgseg", "HOME": "/h"}  # fmt: skip
    found = as_its_own(frozen)
    assert found["LD_LIBRARY_PATH"] == "/usr/x"
    assert found["PYINSTALLER_RESET_ENVIRONMENT"] == "1"
    assert found["HOME"] == "/h"
    del frozen["LD_LIBRARY_PATH_ORIG"]
    assert "LD_LIBRARY_PATH" not in as_its_own(frozen)
    assert as_its_own({"LD_LIBRARY_PATH": "/mine"})["LD_LIBRARY_PATH"] == "/mine"
    assert launcher.job_environment()["PYINSTALLER_RESET_ENVIRONMENT"] == "1"


# -- doctor ----------------------------------------------------------------------------------------


def test_doctor_says_the_same_and_asks_the_program_that_computes(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = installed_pack(tmp_path, passed=False)
    code, out, _ = run("doctor", "--gpu")
    assert code == 0
    assert out == (
        "The GPU pack has not been tested with NVIDIA RTX 4070 with driver 580.82 yet: test it, "
        "which takes ten seconds.\n"
    )
    code, out, _ = run("doctor", "--json")  # which tests it
    facts = json.loads(out)
    sentence = (
        "Networks are trained on NVIDIA RTX 4070 with driver 580.82, 11 × as fast as the processor."
    )
    assert facts["gpu"]["sentence"] == sentence
    assert facts["device"]["line"] == PASSED["device"]
    assert sentence not in facts["reasons"]
    assert chosen_pack() == pack
    # With another driver it is tested again, here in vain.
    monkeypatch.setattr(situation, "find_driver", lambda: Driver("590.1", "13.2", DRIVER.cards))
    monkeypatch.setattr(check, "self_test", lambda _: SelfTest(False, "it crashed", driver="590.1"))
    monkeypatch.setattr("orgseg_app.commands.doctor._device", lambda: DEVICE_CPU)
    choice.remember(SelfTest(False, "it crashed", pack=pack.sha256, driver="590.1"))
    code, out, _ = run("doctor")
    assert "Device       CPU" in out
    assert (
        "Graphics     NVIDIA RTX 4070 with driver 590.1 is not used: it crashed; training runs on "
        "the processor."
    ) in out
    assert out.count("is not used") == 1


DEVICE_CPU = {
    "line": "CPU · 2 threads · fp32", "kind": "cpu", "precision": "fp32", "threads": 2,
    "capability": "AVX2", "bf16_pays": False, "problem": None, "torch_build": "2.13.0+cpu",
}  # fmt: skip


def test_doctor_goes_on_when_the_pack_breaks_after_its_test(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = installed_pack(tmp_path)
    text = pack.program.read_text(encoding="utf-8")
    pack.program.write_text("exit 7".ljust(len(text.encode())), encoding="utf-8")
    monkeypatch.setattr("orgseg_app.commands.doctor._device", lambda: DEVICE_CPU)
    code, out, _ = run("doctor", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["device"]["kind"] == "cpu"
    assert "is not used: the program" in facts["gpu"]["sentence"]
    assert chosen_pack() is None


def test_the_self_test_on_the_command_line(tmp_path: Path, run: Run) -> None:
    installed_pack(tmp_path, passed=False)
    code, out, _ = run("doctor", "--self-test")
    assert code == 0
    assert out == (
        "NVIDIA GeForce RTX 4070 · bf16: works, 11.4 × as fast as the processor. Tested in 6 s.\n"
    )
    remove()
    installed_pack(tmp_path / "2", SAYS.format(words=json.dumps(NO_CARD)), passed=False)
    code, out, _ = run("doctor", "--self-test")
    assert code == 1
    assert out.startswith("Not used: PyTorch finds no card")
    assert "--here" not in run("doctor", "--help")[1]


def test_a_job_of_the_pack_says_why_its_card_is_not_used_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orgseg_app.learn import self_test
    from orgseg_app.learn.device import Device
    from orgseg_app.learn.job import _Job

    monkeypatch.setattr(self_test, "why_no_card", lambda: "PyTorch finds no card that answers")
    told: list[object] = []
    job = _Job(None, None, lambda *what, **more: {"told": told.append((what, more))})  # type: ignore[arg-type]
    job._say_lost_card(Device("cpu", "CPU", "fp32", 2))
    assert told == []
    installed_pack(tmp_path)
    job._say_lost_card(Device("cuda", "RTX", "bf16", 2))
    assert told == []
    job._say_lost_card(Device("cpu", "CPU", "fp32", 2))
    assert (
        "card is not used: PyTorch finds no card that answers. Going on on the processor."
        in str(told)
    )
