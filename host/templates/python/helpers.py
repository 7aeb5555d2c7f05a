"""What any plugin in Python has use for."""

import traceback

from componentize_py_types import Err
from wit_world.imports.patterns import Pattern
from wit_world.imports.types import Diagnostic, Failure


def told(fault):
    """What goes wrong inside is told with its text; where it was becomes lines of the report."""
    def around(export):
        def run(*arguments):
            try:
                return export(*arguments)
            except Err:
                raise
            except Exception as error:
                traceback.print_exc()
                raise Err(fault(f"{type(error).__name__}: {error}"))
        return run
    return around


def of_rules(text: str) -> list[Diagnostic]:
    return [Diagnostic(text, [], None)]


def of_message(text: str) -> Failure:
    return Failure(text, None)


def text(rules: dict, key: str) -> str:
    """A text of the rules. What is raised here is reported with file, line and column."""
    if not isinstance(rules.get(key), str):
        raise Err([Diagnostic(f"`{key}` is missing", [key], None)])
    return rules[key]


def compiled(rules: dict, key: str) -> Pattern:
    source = text(rules, key)
    try:
        return Pattern.compile(source)
    except Err as error:
        raise Err([Diagnostic(error.value.reason, [key], error.value.offset)])
