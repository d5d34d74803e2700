# For each program that is named after the folder: the modules that its script imports, directly or through files of the folder, and
# that neither the folder nor this Python has. Prints one JSON object. Runs nothing of what it reads.
import ast
import importlib.util
import json
import os
import sys


def imported(tree):
    """The first parts of the modules' names. What a script may do without stands in an `if` or a `try`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if not node.level:
                yield node.module.split(".")[0]
        elif not isinstance(node, (ast.If, ast.Try)):
            waiting.extend(ast.iter_child_nodes(node))


def imported_by(file):
    try:
        with open(file, "rb") as source:
            return set(imported(ast.parse(source.read())))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        # Python will say that when it runs the script.
        return set()


def files_of(folder, module):
    """The files of a module in this folder."""
    path = os.path.join(folder, module)
    if os.path.isfile(path + ".py"):
        return [path + ".py"]
    inside = [os.path.join(at, name) for at, _, names in os.walk(path) for name in names]
    return [file for file in inside if file.endswith(".py")]


def is_here(module):
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return True


def missing(folder, program):
    waiting, seen, missing = [os.path.join(folder, program + ".py")], set(), set()
    while waiting:
        for module in imported_by(waiting.pop()) - seen:
            seen.add(module)
            files = files_of(folder, module)
            waiting.extend(files)
            if not files and not is_here(module):
                missing.add(module)
    return sorted(missing)


folder, programs = sys.argv[1], sys.argv[2:]
print(json.dumps({program: missing(folder, program) for program in programs}))
