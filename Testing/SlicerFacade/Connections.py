"""obj.connect("clicked(bool)", callable), as PythonQt has it.

A stand-in whose signals and slots carry vtk objects names them in two tables: ``vtkSignals`` maps a signature to the
name of the signal that stands for it, ``vtkSlots`` a signature to a method.
"""

import inspect
import types

import shiboken6
from PySide6 import QtCore

_adapters = {}


def connectBySignature(sender, original, *args):
    """Connects a signal, given by its signature, to a callable or to another object's slot.

    Raises:
        AttributeError: the sender has no such signal or the receiver no such slot.
    """
    if args and isinstance(args[0], QtCore.QObject):
        return original(*args)
    if len(args) not in (2, 3) or not isinstance(args[0], str):
        raise TypeError(f"connect(signal, callable) or connect(signal, receiver, slot) was expected, not {args!r}.")
    signal = _signalOf(sender, args[0])
    receiver = args[1] if len(args) == 2 else slotOf(args[1], args[2])
    if not callable(receiver):
        raise TypeError(f"{receiver!r} cannot be called.")
    adapter = _adapterFor(receiver)
    _adapters.setdefault(_key(sender, args[0]), []).append((receiver, adapter))
    if isinstance(signal, str):
        return bool(original(sender, f"2{signal}", adapter))
    return bool(signal.connect(adapter))


def disconnectBySignature(sender, original, *args):
    """Takes a connection away again; without a callable, all that were made to the signal by its signature."""
    if args and isinstance(args[0], QtCore.QObject):
        return original(*args)
    signal = _signalOf(sender, args[0])
    connected = _adapters.get(_key(sender, args[0]), [])
    if len(args) == 3:
        args = (args[0], slotOf(args[1], args[2]))
    ended = [pair for pair in connected if len(args) == 1 or pair[0] == args[1]]
    for pair in ended:
        connected.remove(pair)
        if isinstance(signal, str):
            original(sender, f"2{signal}", pair[1])
        else:
            signal.disconnect(pair[1])
    return bool(ended)


def slotOf(receiver, signature):
    """The bound method for a slot's signature.

    Raises:
        AttributeError: there is none.
    """
    for table in _tables(receiver, "vtkSlots"):
        if signature in table:
            return getattr(receiver, table[signature])
    normalized = QtCore.QMetaObject.normalizedSignature(signature).data().decode()
    if receiver.metaObject().indexOfMethod(normalized) < 0:
        raise AttributeError(f"{type(receiver).__name__} has no slot {signature!r}.")
    name = normalized.partition("(")[0]
    count = receiver.metaObject().method(receiver.metaObject().indexOfMethod(normalized)).parameterCount()
    method = getattr(receiver, name)
    method = method.emit if isinstance(method, QtCore.SignalInstance) else method
    return _Slot(method, count)


def endConnectionsOf(sender):
    """Takes away all connections that were made to a sender's signals by signature."""
    address = shiboken6.getCppPointer(sender)[0]
    for _, signature in [key for key in _adapters if key[0] == address]:
        sender.disconnect(signature)
    _forget(address)


class _Slot:
    """Calls a slot with as many values as its signature takes; two of the same slot are equal."""

    def __init__(self, method, count):
        self._method, self._count = method, count

    def __call__(self, *values):
        return self._method(*values[: self._count])

    def __eq__(self, other):
        return isinstance(other, _Slot) and (self._method, self._count) == (other._method, other._count)

    __hash__ = None


def _tables(instance, name):
    return [cls.__dict__[name] for cls in type(instance).__mro__ if name in cls.__dict__]


def _signalOf(sender, signature):
    for table in _tables(sender, "vtkSignals"):
        if signature in table:
            return getattr(sender, table[signature])
    normalized = QtCore.QMetaObject.normalizedSignature(signature).data().decode()
    if sender.metaObject().indexOfSignal(normalized) < 0:
        raise AttributeError(f"{type(sender).__name__} has no signal {signature!r}.")
    return normalized


def _key(sender, signature):
    address = shiboken6.getCppPointer(sender)[0]
    if not any(known[0] == address for known in _adapters):
        sender.destroyed.connect(lambda *_: _forget(address))
    return address, signature.replace(" ", "")


def _forget(address):
    for key in [key for key in _adapters if key[0] == address]:
        del _adapters[key]


def _adapterFor(receiver):
    count = _acceptedCount(receiver)

    def deliver(*values):
        receiver(*values[:count])

    return deliver


def _acceptedCount(receiver):
    # PythonQt hands over no more values than the function has parameters, whether they have defaults or not.
    bound = isinstance(receiver, types.MethodType)
    function = receiver.__func__ if bound else receiver
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARARGS:
        return None
    return code.co_argcount - bound
