"""Ignores messages whose subject a pattern matches."""

import json

from helpers import compiled, of_message, of_rules, text, told
from wit_world import exports
from wit_world.imports import mail
from wit_world.imports.patterns import Pattern
from wit_world.imports.types import (
    About, Action, Config, Decision, Entry, Field_Subject, Outcome, Value_Text,
)

STATEMENT = "{{name}}"

# What `configure` has made of the rules.
pattern: Pattern
reason: str


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
