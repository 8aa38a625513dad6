"""Wait for what a command says: a deferrable sensor whose trigger asks again until the command ends with 0.

What is waited for is decided by the part that knows it; Airflow only asks, without a worker while it waits. The first question
is asked in the task itself, so that what is there already costs no way through the triggerer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

NOT_YET = (1, 3)  # exit codes: not there yet; who would know does not answer. Any other than 0 is a failure.


async def ask(command: str, folder: str) -> tuple[int, str]:
    """Run a shell command; its exit code and its last line."""
    process = await asyncio.create_subprocess_shell(
        command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=dict(os.environ)
    )
    output, _ = await process.communicate()
    lines = output.decode(errors="replace").strip().splitlines()
    return process.returncode or 0, lines[-1] if lines else ""


class CommandTrigger(BaseTrigger):  # type: ignore[misc]
    """Asks every ``pause_s`` seconds, up to ``until`` (seconds since 1970); the event is ``[exit code, last line]``."""

    def __init__(self, command: str, folder: str, pause_s: float, until: float) -> None:
        super().__init__()
        self.command, self.folder, self.pause_s, self.until = command, folder, pause_s, until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer makes the trigger again, also after it was restarted: the end of the wait stays."""
        given = {"command": self.command, "folder": self.folder, "pause_s": self.pause_s, "until": self.until}
        return f"{type(self).__module__}.{type(self).__qualname__}", given

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until the answer is no longer "not yet", or the time is over."""
        while True:
            code, says = await ask(self.command, self.folder)
            if code not in NOT_YET or datetime.now(UTC).timestamp() >= self.until:
                break
            await asyncio.sleep(self.pause_s)
        yield TriggerEvent([code, says])


class CommandSensor(BaseOperator):  # type: ignore[misc]
    """Waits until ``bash_command`` ends with 0; 1 and 3 are "not yet", and too long of it fails for good with what it says."""

    template_fields = ("bash_command",)

    def __init__(self, *, bash_command: str, cwd: str, at_most: timedelta, pause_s: float = 60, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bash_command, self.cwd, self.at_most, self.pause_s = bash_command, cwd, at_most, pause_s

    def execute(self, context: Any) -> str:
        """Ask once; go on waiting in the triggerer when it is not there yet."""
        code, says = asyncio.run(ask(self.bash_command, self.cwd))
        if code in NOT_YET:
            self.log.info("%s", says)
            until = datetime.now(UTC) + self.at_most
            trigger = CommandTrigger(self.bash_command, self.cwd, self.pause_s, until.timestamp())
            self.defer(trigger=trigger, method_name="answered")
        return self._ended(code, says)

    def answered(self, context: Any, event: list[Any]) -> str:
        """Back from the triggerer. Raises AirflowFailException when the time was over, which no retry changes."""
        return self._ended(*event)

    def _ended(self, code: int, says: str) -> str:
        if code == 0:
            return says
        if code in NOT_YET:
            raise AirflowFailException(f"waited {self.at_most} for {self.task_id}: {says}")
        raise AirflowException(f"`{self.bash_command}` ended with {code}: {says}")
