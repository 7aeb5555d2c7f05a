/* Makes a field of what a pattern finds in the body. */

#include "bindings/rules.h"
#include <stdlib.h>
#include <string.h>

/* What `configure` has made of the rules. */
static rules_string_t field;
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
      .summary = text("makes a field of what a pattern finds in the body"),
  };
}

bool exports_lifecycle_configure(exports_lifecycle_config_t *config, exports_lifecycle_list_diagnostic_t *faults) {
  rules_string_t name, source;
  if (!setting(config, "field", &name, faults) || !setting(config, "pattern", &source, faults)) return false;
  rules_string_dup_n(&field, (const char *)name.ptr, name.len);
  return compile(source, "pattern", faults);
}

void exports_extract_declares(exports_extract_list_declaration_t *declarations) {
  exports_extract_declaration_t *declaration = malloc(sizeof *declaration);
  rules_string_dup_n(&declaration->name, (const char *)field.ptr, field.len);
  declaration->kind = TYPES_VALUE_TYPE_TEXT;
  *declarations = (exports_extract_list_declaration_t){declaration, 1};
}

bool exports_extract_extract(exports_extract_list_entry_t *entries, exports_extract_failure_t *failure) {
  (void)failure; /* Nothing here can fail. */
  mail_field_t body = {.tag = TYPES_FIELD_BODY};
  mail_list_option_span_t groups;
  mail_captures(&body, patterns_borrow_pattern(pattern), 0, &groups);
  *entries = (exports_extract_list_entry_t){0};
  if (groups.len > 1 && groups.ptr[1].is_some) {
    exports_extract_entry_t *entry = malloc(sizeof *entry);
    rules_string_dup_n(&entry->name, (const char *)field.ptr, field.len);
    entry->value.tag = TYPES_VALUE_TEXT;
    mail_slice(&body, &groups.ptr[1].val, &entry->value.val.text);
    *entries = (exports_extract_list_entry_t){entry, 1};
  }
  mail_list_option_span_free(&groups);
  return true;
}
