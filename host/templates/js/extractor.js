// Makes a field of what a pattern finds in the body.

import { log } from 'mailmill:rules/log@0.1.0';
import { captures, slice } from 'mailmill:rules/mail@0.1.0';
import { Pattern } from 'mailmill:rules/patterns@0.1.0';

const BODY = { tag: 'body' };

// What `configure` has made of the rules.
let field;
let pattern;

export const lifecycle = {
  describe() {
    return { name: '{{name}}', version: '0.1.0', summary: 'makes a field of what a pattern finds in the body' };
  },

  configure: told(ofRules, (config) => {
    const rules = JSON.parse(config.rules);
    field = text(rules, 'field');
    pattern = compiled(rules, 'pattern');
  }),
};

export const extract = {
  declares() {
    return [{ name: field, kind: 'text' }];
  },

  extract: told(ofMessage, () => {
    const span = captures(BODY, pattern, 0)[1];
    return span ? [{ name: field, value: { tag: 'text', val: slice(BODY, span) } }] : [];
  }),
};
