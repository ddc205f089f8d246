# SPDX-License-Identifier: MIT
"""Each compose file: what it starts, in which envelope, how confined; what it does when something dies."""

import threading
import time
from datetime import datetime

from bank import Closed, Connection, post, request
from engine import BANKS, PROJECT, TOOLS, Stack, docker, inspect, kill, left_behind, wait_until

PORTS = {"docker-compose.yml": (6665, 6666), "prod/docker-compose.yml": (8081, 8082), "compose.embedded.yml": (6665, 6666)}
NEEDED = {"db": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}}  # to become `postgres`


def instant(text):
    return datetime.fromisoformat(text[:19] + "+00:00").timestamp() + float("0" + text[19:].rstrip("Z") or 0)


class Clients:
    """One that goes on and on, each time on a new connection, and asks again until it is answered."""

    def __init__(self, stack):
        self.stack, self.answered, self.stopping = stack, [], False
        self.thread = threading.Thread(target=self.run)

    def ask_until_booked(self, key):
        while True:
            try:
                with self.stack.connect(timeout=20) as connection:
                    answer = connection.ask(post(2, 1, "c", key=key))
                if answer.status == 200:
                    return
                assert answer.status in (503, 504), answer
            except (OSError, Closed):
                pass
            time.sleep(0.005)

    def run(self):
        while not self.stopping:
            self.ask_until_booked(f"{time.monotonic_ns()}")
            self.answered.append(time.time())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()


def test_what_up_nginx_starts_has_at_most_one_and_a_half_cpus_and_550_mb(stack):
    limits = stack.limits()
    assert set(limits) == {"nginx", *BANKS} | (set() if stack.is_embedded else {"db"})
    assert round(sum(cpus for cpus, _ in limits.values()), 6) <= 1.5
    assert sum(size for _, size in limits.values()) <= 550e6
    for name, (cpus, size) in limits.items():  # and the engine holds them to it
        assert inspect(stack.container(name), ".HostConfig.NanoCpus") == cpus * 1e9
        assert inspect(stack.container(name), ".HostConfig.Memory") == size


def test_on_postgresql_the_cpu_is_shared_as_in_the_seed(stack):
    shares = {name: cpus for name, (cpus, _) in stack.limits().items()}
    if not stack.is_embedded:
        assert shares == {"nginx": 0.2, "webapi1-c": 0.4, "webapi2-c": 0.4, "db": 0.5}


def test_the_ports_are_the_challenges_and_only_this_machine_reaches_them(stack):
    expected = {"nginx": (9999, 9999), **{name: (8080, port) for name, port in zip(BANKS, PORTS[stack.file])}}
    if not stack.is_embedded:
        expected["db"] = (5432, 5432)
    for name, (inside, outside) in expected.items():
        bindings = inspect(stack.container(name), ".HostConfig.PortBindings")
        assert bindings == {f"{inside}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(outside)}]}, name
    for port in PORTS[stack.file]:
        with Connection(f"127.0.0.1:{port}") as straight_to_it:
            assert straight_to_it.ask(request("GET", "/healthz")).body == b"Healthy"


def test_a_check_disturbs_no_bank_more_often_than_every_30_s_and_no_start_waits_for_one(stack):
    """But PostgreSQL's, which the instances wait for."""
    services = stack.services()
    for name in ("nginx", *BANKS):
        assert services[name]["healthcheck"]["interval"] == "30s", name
        for needed, how in services[name].get("depends_on", {}).items():
            assert (how["condition"] == "service_healthy") == (needed == "db"), (name, needed)


def test_every_container_is_confined(stack):
    for name in stack.limits():
        about = inspect(stack.container(name), ".HostConfig")
        assert about["ReadonlyRootfs"] and not about["Privileged"], name
        assert about["CapDrop"] == ["ALL"] and set(about["CapAdd"] or ()) == NEEDED.get(name, set()), name
        assert "no-new-privileges:true" in about["SecurityOpt"], name
        assert about["RestartPolicy"]["Name"] == "unless-stopped", name
        assert about["PidMode"] == "", name  # a PID namespace of its own


def test_no_process_is_root_s_or_has_a_capability(stack):
    for name in stack.limits():
        process = inspect(stack.container(name), ".State.Pid")
        status = docker("run", "--rm", "--pid", "host", "--entrypoint", "cat", TOOLS,
                        f"/proc/{process}/status")
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert "0" not in facts["Uid"].split(), name
        assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0, name
        assert facts["NoNewPrivs"] == "1", name


def test_a_killed_container_comes_back_and_the_other_kept_serving_meanwhile(stack):
    stack.empty()
    with Clients(stack) as clients:
        for service in (*BANKS, BANKS[0]):  # the owner of a folder is among them
            container = stack.container(service)
            since = time.time()
            kill(container)
            wait_until(lambda: stack.state_of(service)["Running"] and
                       instant(stack.state_of(service)["StartedAt"]) > since, f"{service} stays dead")
            state = stack.state_of(service)
            down, up = instant(state["FinishedAt"]), instant(state["StartedAt"])
            assert down < up
            assert [at for at in clients.answered if down < at < up], f"nobody served while {service} was down"
            wait_until(lambda: stack.health_of(service) == "healthy", f"{service} does not serve again")
    assert stack.as_expected().balance(2) == len(clients.answered) > 10  # each once


def test_nginx_or_the_database_killed_comes_back_and_nothing_acknowledged_is_lost(stack):
    stack.empty()
    with Clients(stack) as clients:
        for service in ["nginx"] if stack.is_embedded else ["nginx", "db"]:
            before = len(clients.answered)
            kill(stack.container(service))
            wait_until(lambda: len(clients.answered) > before + 5, "nobody is served any more")
            wait_until(lambda: stack.health_of(service) == "healthy", f"{service} is not well again")
    assert stack.balance(2) == len(clients.answered)


def test_a_stop_answers_what_is_in_flight_and_exits_with_0(stack):
    for service in BANKS:
        stack.compose("stop", service)
        assert stack.state_of(service)["ExitCode"] == 0, stack.log_of(service)
        assert stack.post(1).status == 200  # by the other
        stack.compose("start", service)
        wait_until(lambda: stack.health_of(service) == "healthy", f"{service} does not serve again")
    stack.as_expected()


def test_instances_are_unhealthy_while_the_store_cannot_serve_and_well_again_after_it(stack):
    if stack.is_embedded:
        volume = f"{PROJECT}_data:/data"
        docker("run", "--rm", "--volume", volume, "--entrypoint", "rm", TOOLS, "-r", "/data/ledger")
    else:
        stack.compose("stop", "db")
    for service in BANKS:
        wait_until(lambda: stack.health_of(service) == "unhealthy", f"{service} thinks that it is well")
    assert stack.get("/healthz").status == 503
    if stack.is_embedded:
        stack.compose("restart", *BANKS)
    else:
        stack.compose("start", "db")
    stack.wait_for_both()
    assert stack.post(1).status == 200


def test_the_profile_is_durable_unless_the_variable_says_contest_and_each_has_its_own_ledger(stack):
    if stack.is_embedded:
        return
    stack.empty().post(1, 7)
    assert stack.status(BANKS[0])["owner"].endswith(", durable")
    contest = Stack(stack.file, CREBITO_PROFILE="contest").start()
    assert "not durable: fsync is off, tables are UNLOGGED" in contest.status(BANKS[0])["owner"]
    assert "durability is none" in contest.log_of(BANKS[1])
    assert contest.balance(1) == 0 and contest.post(1, 1).status == 200
    assert stack.start().status(BANKS[0])["owner"].endswith(", durable")
    assert stack.balance(1) == 7


def test_no_password_that_others_could_know_opens_the_database_of_prod(stack):
    if not stack.file.startswith("prod/"):
        return
    for password in ("unset", "postgres", "crebito", ""):
        done = stack.psql("SELECT 1", host="db", password=password, check=False)
        assert done.returncode != 0 and "password" in done.stderr, done


def test_the_instances_may_do_what_serving_takes_and_no_more(stack):
    if stack.is_embedded:
        return
    stack.psql("SELECT * FROM InsertTransacao(1, 1, 'c', 'a')", user="crebito")
    for statement in ('DELETE FROM "Transacoes"', 'DROP TABLE "Clientes"', 'TRUNCATE "Clientes"', "CREATE TABLE x ()"):
        done = stack.psql(statement, user="crebito", check=False)
        assert done.returncode != 0 and ("permission denied" in done.stderr or "must be owner" in done.stderr), done


def test_an_instance_is_its_own_role_in_the_database_and_can_be_no_other(stack):
    if stack.is_embedded:
        return
    for role in ("postgres", "nobody"):
        done = docker("exec", stack.container(BANKS[0]), "/usr/bin/crebito", "init", "--database",
                      f"postgres://{role}@/rinha?host=/run/postgresql", check=False)
        assert done.returncode != 0 and ("authentication failed" in done.stderr or "rejects" in done.stderr), done


def test_variables_that_are_not_set_are_no_error_in_any_file(stack):
    assert {"nginx", *BANKS} <= set(stack.services())


def test_down_leaves_nothing(stack):
    assert left_behind()
    stack.compose("down", "--volumes")
    assert left_behind() == []
