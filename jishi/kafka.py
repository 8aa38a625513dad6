"""The event log's Kafka as its clients are configured for it; everything follows from the settings.

``bootstrap`` alone is a cluster that asks for nothing, as the embedded broker does. With TLS and SASL the same values are said
twice, for librdkafka (confluent-kafka) and for Java (Flink's connector), which call them differently.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from jishi.settings import Settings

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
FLINK_SHADES = "org.apache.flink.kafka.shaded."  # where Flink's SQL connector keeps Kafka's classes


class KafkaSettingWrong(ValueError):
    """A setting of Kafka's clients cannot be used; the message names it and the fix."""


@dataclass(frozen=True)
class KafkaCluster:
    """How clients reach Kafka. Files are PEM; ``certificate_file`` holds this client's certificate and key."""

    bootstrap: str
    security: Security = "PLAINTEXT"
    ca_file: str = ""
    certificate_file: str = ""
    sasl_mechanism: str = "SCRAM-SHA-512"
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, settings: Settings) -> KafkaCluster:
        """As the settings say. Raises KafkaSettingWrong."""
        if settings.kafka_security.startswith("SASL") and not (settings.kafka_user and settings.kafka_password):
            raise KafkaSettingWrong(
                f"JISHI_KAFKA_SECURITY is {settings.kafka_security}: set JISHI_KAFKA_USER and JISHI_KAFKA_PASSWORD too"
            )
        return cls(
            settings.kafka_bootstrap,
            settings.kafka_security,
            settings.kafka_ca_file,
            settings.kafka_certificate_file,
            settings.kafka_sasl_mechanism,
            settings.kafka_user,
            settings.kafka_password,
        )

    def client_options(self) -> dict[str, str]:
        """Where and how librdkafka connects."""
        options = {"bootstrap.servers": self.bootstrap}
        if self.security == "PLAINTEXT":
            return options
        options["security.protocol"] = self.security
        if self.security.endswith("SSL"):
            files = {"ssl.ca.location": self.ca_file, "ssl.certificate.location": self.certificate_file}
            files["ssl.key.location"] = self.certificate_file
            options |= {key: file for key, file in files.items() if file}
        if self.security.startswith("SASL"):
            options |= {"sasl.mechanism": self.sasl_mechanism, "sasl.username": self.user, "sasl.password": self.password}
        return options

    def java_options(self, shades: str = "") -> dict[str, str]:
        """Where and how Kafka's Java client connects; ``shades`` comes before the names of its classes."""
        options = {"bootstrap.servers": self.bootstrap}
        if self.security == "PLAINTEXT":
            return options
        options["security.protocol"] = self.security
        if self.security.endswith("SSL"):
            if self.ca_file:
                options |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": self.ca_file}
            if self.certificate_file:
                options |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": self.certificate_file}
        if self.security.startswith("SASL"):
            names = f"username={_quoted(self.user)} password={_quoted(self.password)}"
            options["sasl.mechanism"] = self.sasl_mechanism
            options["sasl.jaas.config"] = f"{shades}{_MODULES[self.sasl_mechanism]} required {names};"
        return options


def _quoted(text: str) -> str:
    """A value of a JAAS configuration."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
