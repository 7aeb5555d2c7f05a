
// What goes wrong inside is told with its text; where it was becomes lines of the report.
function told(fault, run) {
  return (...given) => {
    try {
      return run(...given);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      log('error', error.stack);
      throw fault(`${error.name}: ${error.message}`);
    }
  };
}

function ofRules(reason) {
  return [{ reason, path: [] }];
}

function ofMessage(reason) {
  return { reason };
}

// A text of the rules. What is thrown here is reported with file, line and column.
function text(rules, key) {
  if (typeof rules[key] !== 'string') {
    throw [{ reason: `\`${key}\` is missing`, path: [key] }];
  }
  return rules[key];
}

function compiled(rules, key) {
  const source = text(rules, key);
  try {
    return Pattern.compile(source);
  } catch (error) {
    const { reason, offset } = error.payload ?? error;
    throw [{ reason, path: [key], offset }];
  }
}
