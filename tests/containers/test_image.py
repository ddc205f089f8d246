# SPDX-License-Identifier: MIT
"""The images: what is in them, whose they run as, how they begin and end."""

import io
import re
import subprocess
import tarfile
import time
import uuid

import pytest

from engine import docker, images, inspect, wait_until

MB = 1_000_000
MODULE = "usr/bin/crebito-postgres.so"
LOADER = re.compile(r"lib(64)?/ld-linux-.*\.so\.\d")


@pytest.fixture(params=["crebito:test", "crebito:test-embedded"])
def image(request):
    assert request.param in images()
    return request.param


@pytest.fixture
def run(image):
    """Starts containers as the compose files do, with a volume; returns their names."""
    started = []

    def start(*options, command=()):
        name = f"crebito-test-{uuid.uuid4().hex[:12]}"
        started.append(name)
        docker("run", "--detach", "--name", name, "--read-only", "--cap-drop", "ALL", "--network", "none",
               "--volume", f"{name}:/data", *options, image, *command)
        return name

    yield start
    for name in started:
        docker("rm", "--force", "--volumes", name, check=False)
        docker("volume", "rm", name)


def files_of(image):
    """The regular files, by name, of a container that was never started."""
    container = docker("create", image)
    try:
        packed = subprocess.run(["docker", "export", container], capture_output=True, check=True, timeout=60).stdout
    finally:
        docker("rm", "--volumes", container)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive.getmembers()
                if member.isfile() and not re.match(r"etc/|dev/|\.dockerenv", member.name)}  # the engine's own


def needed_by(content, tmp_path):
    file = tmp_path / "program"
    file.write_bytes(content)
    shown = subprocess.run(["readelf", "--wide", "--dynamic", file], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", shown))


def test_an_image_is_small(image):
    assert inspect(image, ".Size") < (8 if image.endswith("embedded") else 15) * MB


def test_it_holds_the_program_and_exactly_the_libraries_that_it_is_linked_with(image, tmp_path):
    files = files_of(image)
    programs = {"usr/bin/crebito"} | (set() if image.endswith("embedded") else {MODULE})
    needed, todo = set(), [files[name] for name in programs]
    while todo:
        for name in needed_by(todo.pop(), tmp_path) - needed:
            needed.add(name)
            if not name.startswith("ld-linux"):
                todo.append(files[f"lib/{name}"])
    libraries = {f"lib/{name}" for name in needed if not name.startswith("ld-linux")}
    assert {name for name in files if not LOADER.fullmatch(name)} == programs | libraries
    assert sum(LOADER.fullmatch(name) is not None for name in files) == 1


def test_nothing_in_it_has_symbols_for_a_debugger(image, tmp_path):
    for name, content in files_of(image).items():
        file = tmp_path / "file"
        file.write_bytes(content)
        shown = subprocess.run(["readelf", "--wide", "--sections", file], capture_output=True, text=True, check=True)
        assert ".symtab" not in shown.stdout and ".debug_info" not in shown.stdout, name


def test_there_is_no_shell(image):
    for shell in ("sh", "/bin/sh", "/bin/bash", "/usr/bin/env"):
        done = docker("run", "--rm", "--entrypoint", shell, image, "-c", "true", check=False)
        assert done.returncode == 127 or "no such file" in done.stderr.lower(), done


def test_it_says_how_it_is_run(image):
    about = inspect(image, ".Config")
    user, group = about["User"].split(":")
    assert int(user) > 0 and int(group) > 0
    assert about["Entrypoint"] == ["/usr/bin/crebito"] and about["Cmd"] == ["serve"]
    assert about["StopSignal"] == "SIGTERM"
    assert about["Healthcheck"]["Test"] == ["CMD", "/usr/bin/crebito", "status"]
    assert {"title", "description", "licenses", "version", "revision"} == {
        label.removeprefix("org.opencontainers.image.") for label in about["Labels"]}


def test_it_serves_from_a_read_only_root_as_nobody_and_a_stop_ends_it_with_0(image, run):
    name = run()
    wait_until(lambda: inspect(name, ".State.Health.Status") == "healthy", lambda: docker("logs", name))
    began = time.monotonic()
    docker("stop", "--time", "30", name)
    assert inspect(name, ".State.ExitCode") == 0
    assert time.monotonic() - began < 20  # the signal did it, not the end of patience


def test_a_ledger_outlives_its_container(image, run):
    name = run()
    wait_until(lambda: inspect(name, ".State.Health.Status") == "healthy", lambda: docker("logs", name))
    docker("exec", name, "/usr/bin/crebito", "client", "add", "6", "--limit", "7")
    docker("rm", "--force", name)
    assert "7" in docker("run", "--rm", "--volume", f"{name}:/data", image, "client", "show", "6")


def test_it_is_unhealthy_when_the_bank_hangs(image, run):
    name = run("--health-interval", "1s", "--health-timeout", "3s", "--health-retries", "1")
    wait_until(lambda: inspect(name, ".State.Health.Status") == "healthy", lambda: docker("logs", name))
    docker("kill", "--signal", "STOP", name)
    wait_until(lambda: inspect(name, ".State.Health.Status") == "unhealthy", "it looks well")
    docker("kill", "--signal", "CONT", name)
    wait_until(lambda: inspect(name, ".State.Health.Status") == "healthy", "it looks unwell")


def test_without_the_module_a_url_of_postgresql_is_refused_in_words(image):
    done = docker("run", "--rm", image, "status", "--database", "postgres://bank@127.0.0.1:1/bank", check=False)
    assert done.returncode == 2
    if image.endswith("embedded"):
        assert "this installation has no postgres store" in done.stderr
    else:
        assert "Connection refused" in done.stderr  # so the module loads, with all that it is linked with
