"""What may stand beside a type in Annotated[...]."""

import abc
import typing
from dataclasses import dataclass


class Default:
    """The value a parameter starts with, or a function that makes it."""

    def __init__(self, value=None, *, generator=None):
        self._value, self._generator = value, generator

    @property
    def value(self):
        return self._generator() if self._generator else self._value


@dataclass(frozen=True)
class Decimals:
    """How many decimals a spin box shows."""

    value: int


@dataclass(frozen=True)
class SingleStep:
    """How far one step of a slider or spin box goes."""

    value: float


class Validator(abc.ABC):
    """Refuses values by raising ValueError."""

    @abc.abstractmethod
    def validate(self, value):
        """Raises ValueError for a value that the parameter must not have."""


@dataclass(frozen=True)
class WithinRange(Validator):
    """Both ends belong to the range."""

    minimum: float
    maximum: float

    def validate(self, value):
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not from {self.minimum} to {self.maximum}.")


@dataclass(frozen=True)
class Minimum(Validator):
    """Nothing below."""

    minimum: float

    def validate(self, value):
        if value < self.minimum:
            raise ValueError(f"{value} is below {self.minimum}.")


@dataclass(frozen=True)
class Maximum(Validator):
    """Nothing above."""

    maximum: float

    def validate(self, value):
        if value > self.maximum:
            raise ValueError(f"{value} is above {self.maximum}.")


class Choice(Validator):
    """One of a list."""

    def __init__(self, choices):
        self.choices = list(choices)

    def validate(self, value):
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}.")


def splitAnnotated(annotated):
    """The type and the list of annotations of Annotated[type, ...], or of a plain type."""
    if typing.get_origin(annotated) is typing.Annotated:
        base, *annotations = typing.get_args(annotated)
        return base, annotations
    return annotated, []


def findAnnotation(annotations, kind):
    """The first annotation of a kind or None."""
    return next((found for found in annotations if isinstance(found, kind)), None)
