"""Cuts what a pattern finds in the body."""

import json

from helpers import compiled, of_message, of_rules, told
from wit_world import exports
from wit_world.imports import edit, mail, wake
from wit_world.imports.patterns import Pattern
from wit_world.imports.types import About, Config, Field_Body, Verdict

# The most matches that are cut of one message.
CUTS_MAX = 100

# What `configure` has made of the rules.
pattern: Pattern


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
