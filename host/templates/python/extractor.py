"""Makes a field of what a pattern finds in the body."""

import json

from helpers import compiled, of_message, of_rules, text, told
from wit_world import exports
from wit_world.imports import mail
from wit_world.imports.patterns import Pattern
from wit_world.imports.types import (
    About, Config, Declaration, Entry, Field_Body, Value_Text, ValueType,
)

# What `configure` has made of the rules.
field: str
pattern: Pattern


class Lifecycle(exports.Lifecycle):
    def describe(self) -> About:
        return About("{{name}}", "0.1.0", "makes a field of what a pattern finds in the body", None)

    @told(of_rules)
    def configure(self, c: Config) -> None:
        global field, pattern
        rules = json.loads(c.rules)
        field = text(rules, "field")
        pattern = compiled(rules, "pattern")


class Extract(exports.Extract):
    def declares(self) -> list[Declaration]:
        return [Declaration(field, ValueType.TEXT)]

    @told(of_message)
    def extract(self) -> list[Entry]:
        groups = mail.captures(Field_Body(), pattern, 0)
        if len(groups) < 2 or groups[1] is None:
            return []
        return [Entry(field, Value_Text(mail.slice(Field_Body(), groups[1])))]
