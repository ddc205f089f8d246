# SPDX-License-Identifier: MIT
"""Between a bank and its server: TLS, with both ends sure of who the other is."""

import subprocess

import pytest

from bank import LIMITS, is_problem, post
from ledger import audit
from load import Load
from places import refused_at_start, said, wait_for
from postgres import Cluster, own


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_authority(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2,
            "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")


def make_certificate(folder, name, authority, alternative):
    """Of the server, or of a client."""
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName = {alternative}\n" if alternative else "")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
    openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / f"{authority}.crt", "-CAkey",
            folder / f"{authority}.key", "-CAcreateserial", "-days", 2, "-extfile", extensions,
            "-out", folder / f"{name}.crt")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    make_authority(folder, "authority")
    make_authority(folder, "stranger")
    make_certificate(folder, "localhost", "authority", "DNS:localhost")
    return folder


@pytest.fixture(scope="module")
def tls(certificates):
    """A server that takes nobody without."""
    cluster = Cluster()
    for end in ("crt", "key"):
        copy = cluster.folder / f"server.{end}"
        copy.write_bytes((certificates / f"localhost.{end}").read_bytes())
        copy.chmod(0o600)
        own(copy)
    cluster.configure(ssl="on", ssl_cert_file=cluster.folder / "server.crt", ssl_key_file=cluster.folder / "server.key")
    cluster.authenticate("hostssl all all 127.0.0.1/32 scram-sha-256")
    with cluster:
        yield cluster


def url_of(tls, certificates, database, mode="verify-full", authority="authority", host="localhost"):
    return tls.url(database.name, host=host, sslmode=mode, sslrootcert=certificates / f"{authority}.crt")


@pytest.fixture
def secret_database(tls):
    made = tls.create()
    yield made
    made.drop()


def test_a_bank_serves_over_tls_that_is_verified_in_full(tls, certificates, secret_database, serve):
    bank = serve(url_of(tls, certificates, secret_database), "--connections", 3)
    with Load(bank) as load:
        load.acknowledged(300)
    assert set(load.judge(secret_database)) <= {200, 422}
    used = secret_database.psql("SELECT count(*), bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                                " WHERE application_name = 'crebito'")
    assert used == "3|t", used
    with bank.connect() as connection:  # What takes more than one packet of it.
        answers = connection.ask_all([post(2, 1, "c", "😀" * 10, key=f"{'k' * 60}{count % 900}")
                                      for count in range(900)], at_a_time=450)
    assert {answer.status for answer in answers} == {200}
    assert is_problem(bank.post(1, LIMITS[1] * 3, "d"), 422, "limite-excedido")
    audit(secret_database)


def test_over_tls_as_well_a_restart_costs_nothing_that_was_acknowledged(tls, certificates, secret_database, serve):
    bank = serve(url_of(tls, certificates, secret_database))
    with Load(bank) as load:
        load.acknowledged(50)
        tls.restart("immediate")
        load.served_again()
    load.judge(secret_database)
    assert bank.post(1, 1).status == 200
    tls.restart()
    assert bank.post(1, 1).status == 200  # Its farewell comes encrypted, and is noticed all the same.
    assert said(bank, "level=error") >= 1


@pytest.mark.parametrize("wrong, words", [
    ({"host": "127.0.0.1"}, "127.0.0.1"),
    ({"authority": "stranger"}, "certificate verify failed"),
    ({"mode": "disable"}, "no encryption")], ids=["the host's name", "the authority", "none at all"])
def test_what_is_not_verified_is_refused(tls, certificates, secret_database, wrong, words):
    reason, waited = refused_at_start(url_of(tls, certificates, secret_database, **wrong), "--connect-timeout", 1)
    assert words in reason and secret_database.name in reason, reason
    assert waited < 6


def test_a_server_that_changes_its_certificate_for_a_strangers_is_not_served_from(
        tls, certificates, secret_database, serve):
    bank = serve(url_of(tls, certificates, secret_database))
    assert bank.post(1, 5).status == 200
    make_certificate(certificates, "changeling", "stranger", "DNS:localhost")
    for end in ("crt", "key"):
        (tls.folder / f"server.{end}").write_bytes((certificates / f"changeling.{end}").read_bytes())
    tls.restart()
    try:
        assert is_problem(bank.post(1, 1), 503, "indisponivel")
        assert "certificate verify failed" in bank.log
    finally:
        for end in ("crt", "key"):
            (tls.folder / f"server.{end}").write_bytes((certificates / f"localhost.{end}").read_bytes())
        tls.restart()
    wait_for(lambda: bank.post(1, 1).status == 200)
