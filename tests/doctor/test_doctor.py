"""The doctor names what is wrong, and never says a secret."""

import http.server
import io
import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark.doctor import doctor as subject
from benchmark.doctor import hub
from benchmark.doctor import packages as here
from benchmark.doctor.doctor import doctor, place
from benchmark.doctor.finding import Finding, Report
from benchmark.doctor.packages import PACKAGES, VULNERABLE, vulnerable

SECRET = "hf_MARKERmarkerMARKERmarker"


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    """No compiler, a home of its own, and none of the caller's settings."""
    monkeypatch.setattr("zoo.training.native.missing", lambda: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (*(n for n in os.environ if n.startswith(("HF_", "HUGGING"))), "XDG_CACHE_HOME", "HDF5_PLUGIN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def found(name: str, report: Report) -> Finding:
    return next(finding for finding in report.findings if finding.name == name)


def installed(monkeypatch, versions: dict[str, str | None]) -> None:
    monkeypatch.setattr(here, "version", lambda name: versions.get(name, "999"))


def test_what_is_installed_is_healthy_and_every_finding_that_is_not_ok_says_what_to_do():
    report = doctor(online=False)
    assert report.healthy
    assert {*PACKAGES, "python", "HDF5", "memory", "cores", "cache", "compiled engine", "hub"} <= {
        finding.name for finding in report.findings
    }
    for finding in report.findings:
        assert finding.found
        assert finding.advice or finding.level == "ok" or finding.name == "hub"  # it was not asked, as was wanted
    assert json.loads(json.dumps(report.to_json()))["healthy"]
    assert len(report.lines()) == len(report.findings) + sum(bool(one.advice) for one in report.findings) + 1


@pytest.mark.parametrize(("name", "fault"), [(name, fault) for name, faults in VULNERABLE.items() for fault in faults])
def test_every_fault_of_the_table_is_found_before_the_version_that_mends_it_and_not_in_it(monkeypatch, name, fault):
    fixed, identifier, _ = fault
    first, *rest = fixed.split(".")
    for before in (f"{fixed}rc1", f"{int(first) - 1}.99", f"{first}.{int(rest[0]) - 1}" if int(rest[0]) else "1.0"):
        installed(monkeypatch, {name: f"{before}+cpu"})
        report = doctor(online=False)
        assert not report.healthy
        assert any(identifier in line for line in report.lines())
        assert any(fixed in finding.advice for finding in vulnerable(name, before))
    for after in (fixed, f"{fixed}+cpu", f"{fixed}.post1"):
        assert not any(identifier in finding.found for finding in vulnerable(name, after))


def test_versions_are_compared_as_numbers():
    assert len(vulnerable("torch", "2.5.1")) == 2
    assert len(vulnerable("torch", "2.9.1+cu128")) == 1
    assert vulnerable("torch", "2.13.0") == []  # 13 is more than 6
    assert [finding.level for finding in vulnerable("torch", "today")] == ["note"]


def test_what_is_not_installed_is_named_with_the_extra_that_brings_it(monkeypatch):
    installed(monkeypatch, dict.fromkeys(PACKAGES))
    report = doctor(online=False)
    for name, extra in PACKAGES.items():
        one = found(name, report)
        assert one.level == ("problem" if extra is None else "note")
        assert (f"metazoo[{extra}]" if extra else "pip install metazoo") in one.advice


@pytest.mark.parametrize("place", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "file", "HF_TOKEN_PATH"])
def test_a_login_is_known_and_its_token_is_said_nowhere(monkeypatch, tmp_path, place):
    assert found("hub login", doctor(online=False)).level == "note"
    if place.endswith("TOKEN"):
        monkeypatch.setenv(place, SECRET)
    else:
        file = tmp_path / ".cache" / "huggingface" / "token" if place == "file" else tmp_path / "elsewhere"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SECRET)
        if place == "HF_TOKEN_PATH":
            monkeypatch.setenv(place, str(file))
    report = doctor(online=False)
    assert found("hub login", report).level == "ok"
    for part in (SECRET, SECRET[3:12], SECRET[-8:]):
        assert part not in "\n".join(report.lines()) + json.dumps(report.to_json()) + repr(report)


class Root(http.server.BaseHTTPRequestHandler):
    """Answers a HEAD with the status that its server was given, and notes its headers."""

    def do_HEAD(self) -> None:
        self.server.seen.append(dict(self.headers))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Root) as server:
        server.status, server.seen = 200, []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "level"), [(200, "ok"), (302, "ok"), (404, "ok"), (403, "warning"), (503, "warning")])
def test_a_hub_that_answers_is_reachable_unless_it_refuses(monkeypatch, server, status, level):
    server.status = status
    monkeypatch.setenv("HF_ENDPOINT", f"http://somebody:{SECRET}@127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("HF_TOKEN", SECRET)
    report = doctor()
    assert found("hub", report).level == level
    assert (str(status) in found("hub", report).found) == (level == "warning")
    assert report.healthy
    assert len(server.seen) == 1
    assert SECRET not in repr(server.seen) + repr(report)


def test_a_hub_that_is_not_there_is_a_warning_with_its_reason(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    report = doctor()
    assert found("hub", report).level == "warning"
    assert "refused" in found("hub", report).found
    assert report.healthy  # zoos are built without one


def test_a_hub_that_never_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(hub, "HUB_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "timed out" in found("hub", doctor()).found


@pytest.mark.parametrize("proxy", [f"http://somebody:{SECRET}", f"http://somebody:{SECRET}@127.0.0.1:1"])
def test_a_proxys_password_is_said_nowhere(monkeypatch, proxy):
    monkeypatch.setenv("https_proxy", proxy)
    report = doctor()
    assert found("hub", report).level == "warning"
    assert SECRET not in repr(report) + "\n".join(report.lines())


@pytest.mark.parametrize("address", ["file:///etc/passwd", f"http://{SECRET}:{SECRET}@/", f"https://hub:{SECRET}", "hub"])
def test_an_endpoint_that_is_no_address_is_not_opened_and_not_said(monkeypatch, address):
    monkeypatch.setenv("HF_ENDPOINT", address)
    report = doctor()
    assert "no http(s) address" in found("hub", report).found
    assert SECRET not in repr(report)


def test_nothing_is_asked_offline(monkeypatch, server):
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    assert found("hub", doctor(online=False)).found == "not asked"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in found("hub", doctor()).found
    assert server.seen == []


def test_a_cache_that_cannot_be_written_is_found(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert found("cache", doctor(online=False)).level == "warning"
    assert "cannot be written" in found("hub cache", doctor(online=False)).found


def test_a_cache_on_a_read_only_disk_is_found(monkeypatch, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o500)
    else:  # nothing is forbidden to root

        def refused(**_: object) -> None:
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    one = place("cache", folder / "deep" / "metazoo", full="warning", advice="set XDG_CACHE_HOME")
    assert (one.level, one.advice) == ("warning", "set XDG_CACHE_HOME")
    assert "cannot be written" in one.found


def test_a_cache_in_a_folder_that_may_not_be_entered_is_found_and_hides_no_other(monkeypatch, tmp_path):
    locked, stat = tmp_path / "locked", Path.stat

    def refused(path: Path, **options: bool) -> os.stat_result:
        if locked in path.parents:
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refused)
    monkeypatch.setenv("XDG_CACHE_HOME", str(locked / "cache"))
    report = doctor(online=False)
    assert report.healthy
    for name in ("cache", "hub cache", "hub login"):
        assert found(name, report).level == "warning"
        assert "Permission denied" in found(name, report).found
    assert found("working folder", report).level == "ok"


def test_a_disk_that_takes_names_but_no_bytes_is_found(monkeypatch, tmp_path):
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    assert "No space left" in place("cache", tmp_path, full="warning", advice="free some").found


@pytest.mark.parametrize(
    ("free", "cache", "work"), [(0, "warning", "problem"), (2**30, "note", "note"), (2**40, "ok", "ok")]
)
def test_a_full_disk_is_found_and_is_a_problem_only_where_zoos_are_written(monkeypatch, free, cache, work):
    monkeypatch.setattr(subject.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    report = doctor(online=False)
    assert (found("cache", report).level, found("working folder", report).level) == (cache, work)
    assert report.healthy == (work != "problem")


def test_looking_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    doctor(online=False)
    assert list(tmp_path.iterdir()) == []


def test_filter_plugins_are_a_warning(monkeypatch):
    monkeypatch.setenv("HDF5_PLUGIN_PATH", "/somewhere/of/others")
    assert found("HDF5_PLUGIN_PATH", doctor(online=False)).level == "warning"


def test_an_engine_that_does_not_work_is_a_note_with_its_reason(monkeypatch):
    monkeypatch.setattr("zoo.training.native.missing", lambda: "there is\nno C++ compiler")
    one = found("compiled engine", doctor(online=False))
    assert (one.level, one.found) == ("note", "no: there is no C++ compiler")


def test_a_check_that_breaks_or_hangs_hides_no_other(monkeypatch):
    def broken() -> str:
        raise ImportError("libc10.so is missing")

    over = threading.Event()
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", broken)
    monkeypatch.setattr("zoo.training.native.missing", over.wait)
    monkeypatch.setattr(subject, "ENGINE_SECONDS", 0.1)
    report = doctor(online=False)
    over.set()
    assert "libc10" in found("processor", report).found
    assert not report.healthy
    assert "no answer within 0.1 s" in found("compiled engine", report).found
    assert found("hub login", report).level == "note"
