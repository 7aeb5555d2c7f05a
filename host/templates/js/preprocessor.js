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
