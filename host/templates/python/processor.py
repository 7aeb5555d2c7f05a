"""Ignores messages whose subject a pattern matches."""

import json
import traceback

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import mail
from wit_world.imports.patterns import Pattern
from wit_world.imports.types import (
    About, Action, Config, Decision, Diagnostic, Entry, Failure, Field_Subject, Outcome, Value_Text,
)

STATEMENT = "{{name}}"

# What `configure` has made of the rules.
pattern: Pattern
reason: str


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
        return About("{{name}}", "0.1.0", "ignores messages whose subject a pattern matches", None)

    @told(of_rules)
    def configure(self, c: Config) -> None:
        global pattern, reason
        rules = json.loads(c.rules)
        reason = text(rules, "reason")
        pattern = compiled(rules, "pattern")


class Process(exports.Process):
    @told(of_message)
    def process(self) -> Outcome:
        holds = mail.matches(Field_Subject(), pattern)
        decision = Decision(STATEMENT, "the subject matches the pattern", holds)
        ignore = Action("ignore", [Entry("reason", Value_Text(reason))], STATEMENT)
        # `stop`: no later processor is asked.
        return Outcome([ignore] if holds else [], [decision], holds)
