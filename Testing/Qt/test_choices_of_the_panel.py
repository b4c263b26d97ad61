"""What the panel offers is what the engine knows, in the engine's order."""

from __future__ import annotations

from prostreg.choices import DEVICES, METHODS
from prostreg.geometry.standard_views import STANDARD_VIEWS


def test_choices_are_those_of_the_engine(facade):
    from ProSTRegistrationLib.ParameterNode import Device, Method, StandardView

    assert [method.value for method in Method] == list(METHODS)
    assert [device.value for device in Device] == list(DEVICES)
    assert [view.value for view in StandardView] == list(STANDARD_VIEWS)
    for choice in (*Method, *Device, *StandardView):
        assert choice.label()
