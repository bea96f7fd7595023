#!/usr/bin/env python3
"""Imports in src/ run one way: no circle between files, but inside one role's own folder.

A file's imports are the paths that it names by `crate::`, `super::` and `self::`, resolved to the file that declares them. Prints each
circle; one that is not inside a folder of a role fails.
"""
import pathlib
import re
import sys

SRC = pathlib.Path(__file__).resolve().parent.parent / "src"
# Inside these a machine's file and the files of its parts may name each other.
OWN_FOLDERS = ("alice", "bob", "line", "introducer", "relay", "app", "portal", "testkit")


def module_of(path):
    parts = list(path.relative_to(SRC).with_suffix("").parts)
    return tuple(parts[:-1] if parts[-1] in ("mod", "lib") else parts)


FILES = {module_of(path): path for path in SRC.rglob("*.rs")}


def resolve(segments):
    """The longest prefix that is a file."""
    segments = tuple(segments)
    while segments and segments not in FILES:
        segments = segments[:-1]
    return segments


def paths_in(text):
    """Every path that a `use` or an expression names, braces spelled out."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r"pub\((crate|super)\)", "", text)
    text = re.sub(r"#\[cfg\(test\)\]\s*mod \w+ \{.*\Z", "", text, flags=re.S)
    text = re.sub(r"#\[cfg\(all\(test[^\n]*\s*mod \w+ \{.*\Z", "", text, flags=re.S)
    pattern = r"(?:\b((?:crate|super|self)(?:::\w+)*)|\buse (?!crate\b|super\b|self\b)(\w+(?:::\w+)*))(::\{([^;]*?)\};)?"
    for match in re.finditer(pattern, text):
        base = match[1].split("::") if match[1] else ["self", *match[2].split("::")]
        if match[4] is None:
            yield base
            continue
        for item in spread(match[4]):
            yield base + item


def spread(text):
    """`a, b::{c, d}` as [[a], [b, c], [b, d]]."""
    items, depth, start = [], 0, 0
    for at, char in enumerate(text + ","):
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
        elif char == "," and depth == 0:
            items.append(text[start:at].strip())
            start = at + 1
    for item in filter(None, items):
        inner = re.match(r"([\w:]+)::\{(.*)\}\Z", item, re.S)
        if inner:
            for rest in spread(inner[2]):
                yield inner[1].split("::") + rest
        else:
            yield item.split(" as ")[0].split("::")


def absolute(module, path):
    here = list(module)
    if path[0] == "crate":
        return path[1:]
    if path[0] == "self":
        return here + path[1:]
    while path and path[0] == "super":
        here = here[:-1]
        path = path[1:]
    return here + path


def exports():
    """What lib.rs and each mod.rs hand on from elsewhere: name -> module."""
    names = {}
    for module, path in FILES.items():
        text = path.read_text()
        for match in re.finditer(r"pub(?:\(\w+\))? use ([\w:]+)(?:::\{([^;]*?)\})?;", text):
            base = match[1].split("::")
            for item in spread(match[2]) if match[2] else [[]]:
                full = base + item
                target = resolve(full[1:] if full[0] == "crate" else list(module) + full)
                names[module + (full[-1],)] = target
    return names


EXPORTS = exports()


def imports():
    graph = {}
    for module, path in FILES.items():
        if module == ():
            continue
        targets = set()
        for named in paths_in(path.read_text()):
            # `pub(in super::super)`, and a method's `self`.
            if set(named) <= {"self", "super"}:
                continue
            full = absolute(module, named)
            for cut in range(len(full), 0, -1):
                if tuple(full[:cut]) in EXPORTS:
                    full = list(EXPORTS[tuple(full[:cut])])
                    break
            target = resolve(full)
            if target and target != module:
                targets.add(target)
        graph[module] = targets
    return graph


def circles(graph):
    """Strongly connected parts (Tarjan)."""
    index, low, stack, on, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on.add(node)
        for to in graph.get(node, ()):
            if to not in index:
                visit(to)
                low[node] = min(low[node], low[to])
            elif to in on:
                low[node] = min(low[node], index[to])
        if low[node] == index[node]:
            part = []
            while True:
                part.append(stack.pop())
                on.discard(part[-1])
                if part[-1] == node:
                    break
            found.append(part)

    sys.setrecursionlimit(10_000)
    for node in graph:
        if node not in index:
            visit(node)
    return found


def main():
    graph = imports()
    bad = False
    for part in circles(graph):
        if len(part) == 1:
            continue
        names = sorted("::".join(module) for module in part)
        one_folder = len({module[0] for module in part}) == 1 and part[0][0] in OWN_FOLDERS
        print(("inside one folder: " if one_folder else "CIRCLE: ") + ", ".join(names))
        for module in () if one_folder else part:
            for to in sorted(graph[module] & set(part)):
                print("    " + "::".join(module) + " -> " + "::".join(to))
        bad |= not one_folder
    print(f"{len(graph)} files, {sum(map(len, graph.values()))} imports")
    return bad


if __name__ == "__main__":
    sys.exit(main())
