

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
