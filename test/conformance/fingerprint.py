"""A hash of what a function does, so that a case is computed anew only when its
own definition changes: its code, what it closes over, the functions it calls.
"""
import dataclasses
import hashlib
import types


def describe(value, globals_=None, seen=None):
    """A text that changes when the value does; functions by what they do."""
    seen = set() if seen is None else seen
    if isinstance(value, types.CodeType):
        parts = [describe(c, globals_, seen) for c in value.co_consts if not isinstance(c, str) or c != value.co_name]
        names = [describe(globals_[n], globals_, seen) for n in value.co_names
                 if globals_ and isinstance(globals_.get(n), (types.FunctionType, int, float, str, dict, list, tuple))]
        return f"code({value.co_code.hex()}, {value.co_names}, {value.co_varnames}, {parts}, {names})"
    if isinstance(value, types.FunctionType):
        if id(value) in seen:
            return value.__name__
        seen.add(id(value))
        cells = [c.cell_contents for c in value.__closure__ or ()]
        return "function(" + ", ".join(
            [describe(value.__code__, value.__globals__, seen), describe(value.__defaults__, None, seen),
             describe(value.__kwdefaults__, None, seen), *(describe(c, None, seen) for c in cells)]) + ")"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(describe(v, globals_, seen) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {describe(v, globals_, seen)}" for k, v in value.items()) + "}"
    if isinstance(value, types.ModuleType):
        return value.__name__
    return repr(value) if isinstance(value, (str, int, float, bool, type(None), bytes)) else type(value).__name__


def fingerprint(case, ignored):
    """Of all fields of a case but the ignored ones."""
    digest = hashlib.sha256()
    for field in dataclasses.fields(case):
        if field.name not in ignored:
            digest.update(f"{field.name}={describe(getattr(case, field.name))};".encode())
    return digest
