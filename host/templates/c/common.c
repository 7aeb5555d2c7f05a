
/* A text of the rules; what is nested has a path such as `rules.0.pattern`. What is missing is reported with its place. */
static bool setting(const exports_lifecycle_config_t *config, const char *key, rules_string_t *value,
                    exports_lifecycle_list_diagnostic_t *faults) {
  for (size_t i = 0; i < config->settings.len; i++) {
    const rules_tuple2_string_string_t *entry = &config->settings.ptr[i];
    if (entry->f0.len == strlen(key) && memcmp(entry->f0.ptr, key, entry->f0.len) == 0) {
      *value = entry->f1;
      return true;
    }
  }
  rules_string_t reason = text("the setting is missing");
  refuse(faults, key, reason, (rules_option_u32_t){0});
  return false;
}

static bool compile(rules_string_t source, const char *key, exports_lifecycle_list_diagnostic_t *faults) {
  patterns_pattern_error_t error;
  if (patterns_static_pattern_compile(&source, &pattern, &error)) return true;
  refuse(faults, key, error.reason, error.offset);
  return false;
}

/* Says what is wrong with the rules, and where. */
static void refuse(exports_lifecycle_list_diagnostic_t *faults, const char *key, rules_string_t reason,
                   rules_option_u32_t offset) {
  rules_string_t *path = malloc(sizeof *path);
  *path = text(key);
  faults->ptr = malloc(sizeof *faults->ptr);
  faults->len = 1;
  faults->ptr[0] = (exports_lifecycle_diagnostic_t){.reason = reason, .path = {path, 1}, .offset = offset};
}

/* A copy, which the host frees. */
static rules_string_t text(const char *literal) {
  rules_string_t copy;
  rules_string_dup(&copy, literal);
  return copy;
}
