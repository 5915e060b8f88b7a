"""What the program's source notes beside the events of its audit: every detail's name, and the words among its values.

Reads the source, not a run: what is written in a corner that no test comes to has to have words as well. A detail is
followed from where an event is made to where its dictionary is: through variables, parameters and what functions
return. What cannot be followed is named, so that somebody looks.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "radrelay"
EVENTS = {"event": (2, 3, 4), "AuditRecord": (0, 2, 4)}
"""What makes an event, and the places of its action, its subject and its detail among the arguments."""
BELOW = ("dicom", "network", "storage")
"""Rooms that know of no audit."""
Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = tuple[Path, Function | None]


def _name(call: ast.Call) -> str:
    func = call.func
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def _strings(node: ast.expr) -> set[str]:
    """Return the words that a value may be, as far as they stand in the source."""
    if isinstance(node, ast.IfExp):
        return _strings(node.body) | _strings(node.orelse)
    if isinstance(node, ast.List | ast.Tuple):
        return set().union(*map(_strings, node.elts))
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value else set()


class Details:
    """All details of all events: `values` by name, and what could not be followed.

    Of `actions` and `kinds` (of what events are about) those that stand where an event is made.
    """

    def __init__(self) -> None:
        self.values: defaultdict[str, set[str]] = defaultdict(set)
        self.unfollowed: set[str] = set()
        self.actions: set[str] = set()
        self.kinds: set[str] = set()
        rooms = [path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).parts[0] not in BELOW]
        self._trees = {path: ast.parse(path.read_text()) for path in rooms}
        self._functions: defaultdict[str, list[tuple[Path, Function]]] = defaultdict(list)
        self._calls: defaultdict[str, list[tuple[Scope, ast.Call]]] = defaultdict(list)
        self._imported: defaultdict[Path, dict[str, str]] = defaultdict(dict)
        self._seen: set[tuple[int, int]] = set()
        for path, tree in self._trees.items():
            self._gather(path, tree, None)
        for made, places in EVENTS.items():
            for scope, call in self._calls[made]:
                if scope[0].name != "trail.py":  # which hands on what it is given
                    self._read(scope, call, *places)

    def _read(self, scope: Scope, call: ast.Call, action: int, subject: int, detail: int) -> None:
        for name, place, found in (("action", action, self.actions), ("subject_kind", subject, self.kinds)):
            given = _argument(call, name, place)
            words = given.elts[0] if isinstance(given, ast.Tuple) and given.elts else given
            found.update(_strings(words) if words is not None else ())
        given = _argument(call, "detail", detail)
        if given is not None:
            self._follow(given, scope)

    def _gather(self, path: Path, node: ast.AST, within: Function | None) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                self._functions[child.name].append((path, child))
            if isinstance(child, ast.ImportFrom) and child.module:
                for one in child.names:
                    self._imported[path][one.asname or one.name] = f"{child.module}.{one.name}"
            if isinstance(child, ast.Call):
                self._calls[_name(child)].append(((path, within), child))
            self._gather(path, child, child if isinstance(child, Function) else within)

    def _put(self, key: ast.expr, value: ast.expr, scope: Scope) -> None:
        if isinstance(key, ast.Constant):
            self.values[str(key.value)] |= _strings(value)
        else:
            self._lost(key, scope)

    def _lost(self, node: ast.expr, scope: Scope) -> None:
        self.unfollowed.add(f"{scope[0].relative_to(SOURCE)}: {ast.unparse(node)}")

    def _follow(self, node: ast.expr, scope: Scope) -> None:
        if (id(node), id(scope[1])) in self._seen:
            return
        self._seen.add((id(node), id(scope[1])))
        match node:
            case ast.Dict():
                self._follow_dict(node, scope)
            case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other):
                self._follow(one, scope)
                self._follow(other, scope)
            case ast.DictComp():
                self._follow_comprehension(node, scope)
            case ast.Name():
                self._follow_name(node, scope)
            case ast.Attribute() if node.attr.isupper():
                self._follow_constant(node, node.attr, scope)
            case ast.Call():
                self._follow_call(node, scope)
            case _:
                self._lost(node, scope)

    def _follow_dict(self, node: ast.Dict, scope: Scope) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                self._follow(value, scope)
            else:
                self._put(key, value, scope)

    def _follow_comprehension(self, node: ast.DictComp, scope: Scope) -> None:
        """Follow `{name: … for name in …}` with its names, or what it takes a part of."""
        (loop,) = node.generators
        named = [words for test in loop.ifs for one in ast.walk(test) if (words := _strings_of(one))]
        iterated = loop.iter
        if named:
            for name in named[0]:
                self.values[name] |= set()
        elif isinstance(iterated, ast.Call) and _name(iterated) == "items" and isinstance(iterated.func, ast.Attribute):
            self._follow(iterated.func.value, scope)
        elif isinstance(iterated, ast.Tuple):
            for name in _strings(iterated):
                self.values[name] |= set()
        else:
            words = {word for value in self._assigned(iterated, scope) for word in _strings(value)}
            for name in words:
                self.values[name] |= set()
            if not words:
                self._lost(node, scope)

    def _assigned(self, node: ast.expr, scope: Scope) -> list[ast.expr]:
        """Return what a name is set to in its function, or else in its module."""
        if not isinstance(node, ast.Name):
            return []
        inside = list(ast.walk(scope[1])) if scope[1] is not None else []
        for body in (inside, list(self._trees[scope[0]].body)):
            found = [
                value for target, value in _settings(body) if isinstance(target, ast.Name) and target.id == node.id
            ]
            if found:
                return found
        return []

    def _follow_name(self, node: ast.Name, scope: Scope) -> None:
        found = self._assigned(node, scope)
        for value in found:
            self._follow(value, scope)
        for target, value in _settings(ast.walk(scope[1]) if scope[1] is not None else []):
            if isinstance(target, ast.Subscript) and ast.unparse(target.value) == node.id:
                self._put(target.slice, value, scope)
        if not found and not self._follow_parameter(node, scope):
            self._lost(node, scope)

    def _follow_parameter(self, node: ast.Name, scope: Scope) -> bool:
        """Follow what callers give; false for what is no parameter, or where nobody is seen to call."""
        path, function = scope
        if function is None:
            return False
        arguments = function.args
        positional = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
        named = [*positional, *(one.arg for one in arguments.kwonlyargs)]
        calls = [(of, call) for of, call in self._calls[function.name] if self._reaches(call, of[0], path, function)]
        if arguments.kwarg is not None and arguments.kwarg.arg == node.id:
            for _, call in calls:
                for keyword in call.keywords:
                    if keyword.arg is not None and keyword.arg not in named:
                        self.values[keyword.arg] |= _strings(keyword.value)
            return bool(calls)
        if node.id not in named:
            return False
        place = positional.index(node.id) if node.id in positional else None
        given = [(of, _argument(call, node.id, place)) for of, call in calls]
        for of, value in given:
            if value is not None:
                self._follow(value, of)
        return any(value is not None for _, value in given)

    def _reaches(self, call: ast.Call, of: Path, path: Path, function: Function) -> bool:
        return of == path or (not function.name.startswith("_") and self._imports(of, call, path))

    def _imports(self, of: Path, call: ast.Call, path: Path) -> bool:
        """Say whether what a module calls is of another one, by how it is imported."""
        func = call.func
        base = func.value.id if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) else None
        package = ".".join(["radrelay", *path.relative_to(SOURCE).with_suffix("").parts])
        if base is None:
            return self._imported[of].get(_name(call)) == f"{package}.{_name(call)}"
        whole = self._imported[of].get(base, "")
        return bool(whole) and (whole == package or package.startswith(f"{whole}."))

    def _follow_constant(self, node: ast.expr, name: str, scope: Scope) -> None:
        found = [
            (path, value)
            for path, tree in self._trees.items()
            for target, value in _settings(tree.body)
            if isinstance(target, ast.Name) and target.id == name and isinstance(value, ast.Dict)
        ]
        for path, value in found:
            self._follow(value, (path, None))
        if not found:
            self._lost(node, scope)

    def _follow_call(self, node: ast.Call, scope: Scope) -> None:
        if _name(node) == "dict":
            for argument in node.args:
                self._follow(argument, scope)
            for keyword in node.keywords:
                self.values[keyword.arg or ""] |= _strings(keyword.value)
            return None
        if _name(node) == "model_dump":
            return self._follow_model(node, scope)
        own = [(path, one) for path, one in self._functions[_name(node)] if path == scope[0]]
        others = [one for one in self._functions[_name(node)] if self._imports(scope[0], node, one[0])]
        for path, function in own or others:
            for part in ast.walk(function):
                if isinstance(part, ast.Return) and part.value is not None:
                    self._follow(part.value, (path, function))
        if not own and not others:
            self._lost(node, scope)
        return None

    def _follow_model(self, node: ast.Call, scope: Scope) -> None:
        """Follow `wanted.model_dump()`: all fields of the class that the parameter is of."""
        of = node.func.value if isinstance(node.func, ast.Attribute) else None
        kinds = [
            ast.unparse(one.annotation)
            for one in (ast.walk(scope[1]) if scope[1] is not None else [])
            if isinstance(one, ast.arg) and one.annotation and isinstance(of, ast.Name) and one.arg == of.id
        ]
        fields = [
            field.target.id
            for one in self._trees[scope[0]].body
            if isinstance(one, ast.ClassDef) and one.name in kinds
            for field in one.body
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        ]
        for name in fields:
            self.values[name] |= set()
        if not fields:
            self._lost(node, scope)


def _argument(call: ast.Call, name: str, place: int | None) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[place] if place is not None and len(call.args) > place else None


def _settings(nodes: Iterator[ast.AST] | list[ast.stmt] | list[ast.AST]) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = (
                    zip(target.elts, node.value.elts, strict=False)
                    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                    else [(target, node.value)]
                )
                yield from pairs
        elif isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value is not None:
            yield node.target, node.value


def _strings_of(node: ast.AST) -> set[str]:
    return _strings(node) if isinstance(node, ast.Tuple) else set()
