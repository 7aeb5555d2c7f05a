"""Cuts what a pattern finds in the body."""

import json
import traceback

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import edit, mail, wake
from wit_world.imports.patterns import Pattern
from wit_world.imports.types import About, Config, Diagnostic, Failure, Field_Body, Verdict

# The most matches that are cut of one message.
CUTS_MAX = 100

# What `configure` has made of the rules.
pattern: Pattern


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


class Lifecycle(exports.Lifecycle):
    def describe(self) -> About:
        return About("{{name}}", "0.1.0", "cuts what a pattern finds in the body", None)

    @told(of_rules)
    def configure(self, c: Config) -> None:
        global pattern
        pattern = compiled(json.loads(c.rules), "pattern")
        # The plugin is called for messages only in which the pattern matches.
        wake.on_match(pattern)


class Preprocess(exports.Preprocess):
    @told(of_message)
    def preprocess(self) -> Verdict:
        for span in mail.find_all(Field_Body(), pattern, CUTS_MAX):
            edit.cut(span, edit.Kind.BANNER, "pattern")
        return Verdict.NEXT
