"""Feast's registry as a file that is replaced in one step: Feast itself writes in place, and a reader could see half of it."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime

from feast.infra.registry.file import FileRegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto

TYPE = "feature_repo.registry_store.AtomicFileRegistryStore"


class AtomicFileRegistryStore(FileRegistryStore):
    """File registry that writes aside and renames."""

    def _write_registry(self, registry_proto: RegistryProto) -> None:
        registry_proto.version_id = str(uuid.uuid4())
        registry_proto.last_updated.FromDatetime(datetime.now(UTC).replace(tzinfo=None))
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        aside = self._filepath.with_name(f".{self._filepath.name}.{os.getpid()}")
        with aside.open("wb") as file:
            file.write(registry_proto.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, self._filepath)
