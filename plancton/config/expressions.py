"""Arithmetic over the node's figures, for the maximum of pilots. There is no ``eval`` here."""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

Number = float | int

MEASURED: Mapping[str, str] = {
    "cpu": "cores busy",
    "foreground": "cores used by what is no pilot",
    "load": "load average over a minute",
    "mem": "memory available, bytes",
    "disk": "free disk of Docker's data root, bytes",
}
SPANS = ("5m", "30m", "1h", "12h", "1d")

PLAIN: Mapping[str, str] = {
    "ncpus": "cores of the node",
    "ram_bytes": "memory of the node, bytes",
    "swap_bytes": "swap of the node, bytes",
    "max_dock_mem": "memory limit of the first profile, bytes",
    "max_dock_swap": "swap limit of the first profile, bytes",
}
"""What does not change, with its meaning."""

NAMES = frozenset((*PLAIN, *MEASURED, *(f"{name}_{span}" for name in MEASURED for span in SPANS)))
"""All that an expression may name."""

LARGEST = 1e30
"""Largest number an expression may name or come to: it bounds the time and memory of any."""
_LONGEST = 500
_MOST_DIGITS = 15
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Number]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def _round(value: Number, digits: Number = 0) -> Number:
    if digits != int(digits) or abs(digits) > _MOST_DIGITS:
        raise ValueError(f"round takes at most {_MOST_DIGITS} digits")
    return round(value, int(digits)) if digits else round(value)


_CALLS: dict[str, Callable[..., Number]] = {"min": min, "max": max, "int": int, "round": _round}

_PLAIN = (
    *(ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.And, ast.Or, ast.Load),
    *_BINARY,
    *_UNARY,
    *_COMPARE,
)


class ExpressionError(ValueError):
    """The text is no expression of ours, or has no value for these names."""


class Expression:
    """A checked expression, such as ``min(ncpus - 2, ram_bytes / max_dock_mem)``."""

    def __init__(self, text: str | float) -> None:
        """Parse and check *text*; ExpressionError says what is wrong with it."""
        self.text = str(text).strip()
        if len(self.text) > _LONGEST:
            raise ExpressionError(f"longer than {_LONGEST} characters")
        try:
            self._tree = ast.parse(self.text, mode="eval").body
            _check(self._tree)
        except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
            if isinstance(error, ExpressionError):
                raise
            raise ExpressionError(f"{self.text!r} is not an arithmetic expression") from None

    def evaluate(self, names: Mapping[str, Number]) -> Number:
        """Return the value with these *names*; ExpressionError if it has none (1/0)."""
        try:
            return _value(self._tree, names)
        except (ArithmeticError, TypeError, ValueError, RecursionError) as error:
            raise ExpressionError(f"{self.text!r} has no value here: {error}") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda e: e.text),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": ["number", "string"], "examples": ["ncpus - 2", 4]}

    @classmethod
    def _validate(cls, value: object) -> Expression:
        if isinstance(value, Expression):
            return value
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ExpressionError("a number or an expression is wanted")
        return cls(value)


def _check(tree: ast.expr) -> None:
    functions = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    for node in ast.walk(tree):
        fault = _fault(node, called=id(node) in functions)
        if fault:
            raise ExpressionError(fault)


def _known(name: str) -> str:
    close = difflib.get_close_matches(name, NAMES, n=1)
    if close:
        return f" (nearest: {close[0]})"
    spans = ", ".join(f"_{span}" for span in SPANS)
    names = ", ".join((*PLAIN, *MEASURED))
    return f"; known are {names}; {', '.join(MEASURED)} also with {spans}"


def _fault(node: ast.AST, *, called: bool) -> str:
    """Return what is wrong with one node of the tree by itself, or nothing."""
    match node:
        case ast.Name(id=name) if called:
            return "" if name in _CALLS else f"{name!r} is no function; known: {', '.join(_CALLS)}"
        case ast.Name(id=name):
            return "" if name in NAMES else f"{name!r} is not known{_known(name)}"
        case ast.Constant(value=value):
            if not isinstance(value, int | float) or isinstance(value, bool):
                return f"{ast.unparse(node)} is not a number"
            return "" if value <= LARGEST else f"numbers may be at most {LARGEST:g}"
        case ast.Call(func=ast.Name(), keywords=[]):
            return ""
    return "" if isinstance(node, _PLAIN) else f"{ast.unparse(node) or node!r} is not allowed here"


def _value(node: ast.expr, names: Mapping[str, Number]) -> Number:
    """Return the value of a node; no value on the way is beyond LARGEST."""
    value = _computed(node, names)
    if not -LARGEST <= value <= LARGEST:  # false for nan, too
        raise ValueError(f"numbers may be at most {LARGEST:g}")
    return value


def _computed(node: ast.expr, names: Mapping[str, Number]) -> Number:  # noqa: PLR0911 (one a node type)
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return names[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_value(left, names), _value(right, names))
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_value(operand, names))
        case ast.Compare(left=left, ops=ops, comparators=rights):
            values = [_value(each, names) for each in (left, *rights)]
            pairs = zip(values, ops, values[1:], strict=False)
            return all(_COMPARE[type(op)](a, b) for a, op, b in pairs)
        case ast.BoolOp(op=op, values=values):
            truths = (bool(_value(each, names)) for each in values)
            return all(truths) if isinstance(op, ast.And) else any(truths)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, names) else orelse, names)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _CALLS[name](*(_value(each, names) for each in arguments))
    raise AssertionError(node)
