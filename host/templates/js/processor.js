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
