"""Servers that take nothing but TLS, with certificates of an authority that only these tests know."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jishi.java import java_home
from jishi.paths import Paths
from jishi.settings import get_settings
from ops.jars import fetch_jars
from ops.kafka import EmbeddedBroker, running_broker
from ops.ports import free_port
from tests.integration.conftest import Server, postgresql, running

PASSWORD = 'it\'s "odd", 1\\2'  # what a statement, a JAAS line and a URL each have to escape
HOST = "127.0.0.1"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclass(frozen=True)
class Authority:
    """``ca`` signs; ``both`` holds a certificate for this machine and its key, as one file and as two."""

    ca: Path
    both: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority and one certificate, for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("authority")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jishi")])
    began = datetime.now(UTC) - timedelta(hours=1)

    def signed(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, is_ca: bool) -> bytes:
        builder = x509.CertificateBuilder(
            ca_name, subject, public, x509.random_serial_number(), began, began + timedelta(days=1)
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
        builder = builder if is_ca else builder.add_extension(names, critical=False)
        return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificate = signed(name, key.public_key(), is_ca=False)
    contents = {"ca": signed(ca_name, ca_key.public_key(), is_ca=True), "certificate": certificate, "key": private}
    contents["both"] = private + certificate
    files = {what: folder / f"{what}.pem" for what in contents}
    for what, content in contents.items():
        files[what].write_bytes(content)
    return Authority(**files)


@pytest.fixture(scope="session")
def redis_over_tls(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Redis that wants TLS and a password."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    configuration = tmp_path_factory.mktemp("redis") / "redis.conf"
    configuration.write_text(
        f"bind {HOST}\nport 0\nsave ''\ntls-cert-file {authority.certificate}\ntls-key-file {authority.key}\n"
        f"tls-ca-cert-file {authority.ca}\ntls-auth-clients no\nrequirepass 12345\n"
    )
    with running(lambda port: [binary, str(configuration), "--tls-port", str(port)]) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_over_tls(authority: Authority) -> Iterator[Server]:
    """A PostgreSQL that lets nobody in without TLS."""

    def prepare(data: Path) -> list[str]:
        for name, source in {"server.crt": authority.certificate, "server.key": authority.key}.items():
            shutil.copy(source, data / name)
            (data / name).chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(data / name, "nobody")
        (data / "pg_hba.conf").write_text(f"hostssl all all {HOST}/32 trust\n")
        return ["-c", "ssl=on"]

    with postgresql(prepare) as server:
        yield server


@dataclass(frozen=True)
class GuardedBroker(EmbeddedBroker):
    """The embedded broker with a second listener, for clients with a certificate and a password."""

    guarded_port: int = 0
    authority: Authority | None = None

    def _properties(self) -> str:
        assert self.authority is not None
        plain, guarded = f"PLAINTEXT://{self.bootstrap}", f"SASL_SSL://{self.host}:{self.guarded_port}"
        text = super()._properties().replace(f"listeners={plain}", f"listeners={guarded},{plain}")
        more = {
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.authority.both,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.authority.ca,
            "listener.name.sasl_ssl.ssl.client.auth": "required",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{SCRAM} required;",
        }
        return text + "".join(f"{key}={value}\n" for key, value in more.items())


@pytest.fixture(scope="session")
def kafka_over_tls(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedBroker]:
    """A broker of which the user ``jishi`` with ``PASSWORD`` may come in by SASL over TLS."""
    paths, folder = Paths.of(get_settings()), tmp_path_factory.mktemp("kafka")
    fetch_jars(paths)
    fixed = (folder, paths.jars, java_home(paths.envs), HOST, free_port(), free_port(), "256m")
    broker = GuardedBroker(*fixed, guarded_port=free_port(), authority=authority)
    with running_broker(broker, folder / "broker.log"):
        mechanism = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion("jishi", mechanism, PASSWORD.encode())
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        [done] = admin.alter_user_scram_credentials([change]).values()
        done.result(20)
        yield broker


def java(source: str, jars: list[Path], folder: Path, *arguments: str) -> str:
    """What a Java program prints; skips where Java has no compiler."""
    home = java_home(get_settings().envs)
    if not (home / "bin" / "javac").exists():
        pytest.skip("Java's compiler is not installed (Debian: apt-get install openjdk-17-jdk-headless)")
    file = folder / "Probe.java"
    file.write_text(source)
    command = [str(home / "bin" / "java"), "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, jars)), str(file), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
