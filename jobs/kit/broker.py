"""A Kafka broker: one node in KRaft mode, run from jars, on loopback, with a password.

It keeps what it was given until somebody says otherwise (`log.retention.ms=-1`: the demo's messages tell of days long
past, which a broker would take for old). Its jars are not part of every installation: the first start fetches them.
"""

import base64
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

import psutil

from jobs.kit import process
from jobs.kit.process import LOOPBACK, Handle, NotStarted
from jobs.kit.settings import CHECKOUT, Settings

JARS = CHECKOUT / ".shoplake" / "kafka" / "broker"
USER = "shoplake"
_CONF = "server.properties"
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


def is_installed() -> bool:
    """Whether every jar that infra/kafka.toml names is there, the engine's included."""
    wanted = tomllib.loads((CHECKOUT / "infra" / "kafka.toml").read_text())
    names = [(use, "{1}-{2}.jar".format(*jar["coordinates"].split(":"))) for use in wanted for jar in wanted[use]]
    return all((JARS.with_name(use) / name).exists() for use, name in names)


def install() -> None:
    """Fetch the jars that are missing. NotStarted if they cannot be fetched."""
    if is_installed():
        return
    command = [sys.executable, str(CHECKOUT / "infra" / "bootstrap.py"), "--kafka"]
    done = subprocess.run(command, capture_output=True, text=True, env=process.environment())
    if done.returncode:
        raise NotStarted(f"Kafka's jars are not here: {done.stderr.strip()} Then: make install LIVE=1")


def password(settings: Settings) -> str:
    """The password of its one user."""
    return process.secret(settings.home / "secrets" / "kafka")


def command(settings: Settings, port: int) -> list[str | Path]:
    """The words that start it on this port; its folder is made first if there is none yet. NotStarted if it cannot."""
    _stop_strays(settings)
    conf = _configured(settings, port, process.free_port(port + 1))
    if not (_home(settings) / "data" / "meta.properties").exists():
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]
        words = [*_java(settings), "kafka.tools.StorageTool", "format", "-t", f"A{cluster[1:]}", "-c", conf]
        done = subprocess.run([str(w) for w in words], capture_output=True, text=True, env=process.environment())
        if done.returncode:
            raise NotStarted(f"Kafka could not make its data folder: {(done.stderr or done.stdout).strip()[-300:]}")
    return [*_java(settings), "kafka.Kafka", conf]


def _home(settings: Settings) -> Path:
    return settings.home / "kafka"


def _stop_strays(settings: Settings) -> None:
    """Stop a broker on our data that no record names (its starter was killed, or the record deleted)."""
    conf = str(_home(settings) / _CONF)
    found = [c for c in psutil.process_iter(["cmdline", "create_time"]) if conf in (c.info["cmdline"] or [])]
    process.stop(*[Handle(c.pid, c.info["create_time"]) for c in found])


def _java(settings: Settings) -> list[str | Path]:
    java = Path(settings.java_home or CHECKOUT / ".shoplake" / "java") / "bin" / "java"
    return [java, "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{JARS}/*"]


def _configured(settings: Settings, port: int, controller_port: int) -> Path:
    """Write the configuration; only its owner may read it."""
    word = password(settings)
    login = f'{_LOGIN} required username="{USER}" password="{word}" user_{USER}="{word}";'
    said = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"CLIENT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"CLIENT://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.client.plain.sasl.jaas.config": login,
        "listener.name.controller.plain.sasl.jaas.config": login,
        "log.dirs": str(_home(settings) / "data"),
        "log.retention.ms": "-1",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
    }
    path = _home(settings) / _CONF
    process.write_private(path, "".join(f"{name}={value}\n" for name, value in said.items()))
    return path
