/* Ignores messages whose subject a pattern matches. */

#include "bindings/rules.h"
#include <stdlib.h>
#include <string.h>

/* What `configure` has made of the rules. */
static patterns_own_pattern_t pattern;
static rules_string_t reason;

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
      .summary = text("ignores messages whose subject a pattern matches"),
  };
}

bool exports_lifecycle_configure(exports_lifecycle_config_t *config, exports_lifecycle_list_diagnostic_t *faults) {
  rules_string_t why, source;
  if (!setting(config, "reason", &why, faults) || !setting(config, "pattern", &source, faults)) return false;
  rules_string_dup_n(&reason, (const char *)why.ptr, why.len);
  return compile(source, "pattern", faults);
}

static types_list_action_t ignore(void) {
  types_entry_t *argument = malloc(sizeof *argument);
  argument->name = text("reason");
  argument->value.tag = TYPES_VALUE_TEXT;
  rules_string_dup_n(&argument->value.val.text, (const char *)reason.ptr, reason.len);
  types_action_t *action = malloc(sizeof *action);
  *action = (types_action_t){.verb = text("ignore"), .arguments = {argument, 1}, .statement = text("{{name}}")};
  return (types_list_action_t){action, 1};
}

bool exports_process_process(exports_process_outcome_t *outcome, exports_process_failure_t *failure) {
  (void)failure; /* Nothing here can fail. */
  mail_field_t subject = {.tag = TYPES_FIELD_SUBJECT};
  bool holds = mail_matches(&subject, patterns_borrow_pattern(pattern));
  types_decision_t *decision = malloc(sizeof *decision);
  *decision = (types_decision_t){
      .statement = text("{{name}}"),
      .condition = text("the subject matches the pattern"),
      .holds = holds,
  };
  /* `stop`: no later processor is asked. */
  *outcome = (exports_process_outcome_t){.decisions = {decision, 1}, .stop = holds};
  if (holds) outcome->actions = ignore();
  return true;
}
