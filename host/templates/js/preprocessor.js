// Cuts what a pattern finds in the body.

import { cut } from 'mailmill:rules/edit@0.1.0';
import { log } from 'mailmill:rules/log@0.1.0';
import { findAll } from 'mailmill:rules/mail@0.1.0';
import { Pattern } from 'mailmill:rules/patterns@0.1.0';
import { onMatch } from 'mailmill:rules/wake@0.1.0';

const BODY = { tag: 'body' };
// The most matches that are cut of one message.
const CUTS_MAX = 100;

// What `configure` has made of the rules.
let pattern;

export const lifecycle = {
  describe() {
    return { name: '{{name}}', version: '0.1.0', summary: 'cuts what a pattern finds in the body' };
  },

  configure: told(ofRules, (config) => {
    pattern = compiled(JSON.parse(config.rules), 'pattern');
    // The plugin is called for messages only in which the pattern matches.
    onMatch(pattern);
  }),
};

export const preprocess = {
  preprocess: told(ofMessage, () => {
    for (const span of findAll(BODY, pattern, CUTS_MAX)) {
      cut(span, 'banner', 'pattern');
    }
    return 'next';
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
