"""Hours of a shop's clock at which nobody is to be disturbed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class QuietHours(BaseModel):
    """From the hour ``begins`` on, until the hour ``ends``; they may span midnight.

    >>> night = QuietHours(begins=22, ends=8)
    >>> [night.holds(hour) for hour in (21, 22, 0, 7, 8)]
    [False, True, True, True, False]
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    begins: int = Field(ge=0, le=23)
    ends: int = Field(ge=0, le=23)

    @model_validator(mode="after")
    def _last(self) -> QuietHours:
        """Hours that end where they begin would be none, or all."""
        if self.begins == self.ends:
            raise ValueError("ends has to be another hour than begins")
        return self

    def holds(self, hour: int) -> bool:
        """Whether an hour (0 to 23) is quiet."""
        if self.begins < self.ends:
            return self.begins <= hour < self.ends
        return hour >= self.begins or hour < self.ends
