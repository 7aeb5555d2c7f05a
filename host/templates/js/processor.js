// Ignores messages whose subject a pattern matches.

import { log } from 'mailmill:rules/log@0.1.0';
import { matches } from 'mailmill:rules/mail@0.1.0';
import { Pattern } from 'mailmill:rules/patterns@0.1.0';

const STATEMENT = '{{name}}';

// What `configure` has made of the rules.
let pattern;
let reason;

export const lifecycle = {
  describe() {
    return { name: '{{name}}', version: '0.1.0', summary: 'ignores messages whose subject a pattern matches' };
  },

  configure: told(ofRules, (config) => {
    const rules = JSON.parse(config.rules);
    reason = text(rules, 'reason');
    pattern = compiled(rules, 'pattern');
  }),
};

export const process = {
  process: told(ofMessage, () => {
    const holds = matches({ tag: 'subject' }, pattern);
    const decisions = [{ statement: STATEMENT, condition: 'the subject matches the pattern', holds }];
    const ignore = {
      verb: 'ignore',
      arguments: [{ name: 'reason', value: { tag: 'text', val: reason } }],
      statement: STATEMENT,
    };
    // `stop`: no later processor is asked.
    return { actions: holds ? [ignore] : [], decisions, stop: holds };
  }),
};

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
