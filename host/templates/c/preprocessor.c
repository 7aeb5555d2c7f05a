/* Cuts what a pattern finds in the body. */

#include "bindings/rules.h"
#include <stdlib.h>
#include <string.h>

/* The most matches that are cut of one message. */
enum { CUTS_MAX = 100 };

/* What `configure` has made of the rules. */
static patterns_own_pattern_t pattern;

static rules_string_t text(const char *literal);
static void refuse(exports_lifecycle_list_diagnostic_t *faults, const char *key, rules_string_t reason,
                   rules_option_u32_t offset);
static bool setting(const exports_lifecycle_config_t *config, const char *key, rules_string_t *value,
                    exports_lifecycle_list_diagnostic_t *faults);
static bool compile(rules_string_t source, const char *key, exports_lifecycle_list_diagnostic_t *faults);

void exports_lifecycle_describe(exports_lifecycle_about_t *about) {
  *about = (exports_lifecycle_about_t){
      .name = text("{{name}}"),
      .version = text("0.1.0"),
      .summary = text("cuts what a pattern finds in the body"),
  };
}

bool exports_lifecycle_configure(exports_lifecycle_config_t *config, exports_lifecycle_list_diagnostic_t *faults) {
  rules_string_t source;
  if (!setting(config, "pattern", &source, faults) || !compile(source, "pattern", faults)) return false;
  /* The plugin is called for messages only in which the pattern matches. */
  wake_on_match(patterns_borrow_pattern(pattern));
  return true;
}

bool exports_preprocess_preprocess(exports_preprocess_verdict_t *verdict, exports_preprocess_failure_t *failure) {
  (void)failure; /* Nothing here can fail. */
  mail_field_t body = {.tag = TYPES_FIELD_BODY};
  mail_list_span_t spans;
  mail_find_all(&body, patterns_borrow_pattern(pattern), CUTS_MAX, &spans);
  rules_string_t rule;
  rules_string_set(&rule, "pattern");
  for (size_t i = 0; i < spans.len; i++) edit_cut(&spans.ptr[i], EDIT_KIND_BANNER, &rule);
  mail_list_span_free(&spans);
  *verdict = TYPES_VERDICT_NEXT;
  return true;
}
