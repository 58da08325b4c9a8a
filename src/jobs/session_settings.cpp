// The settings of a session, for the job that it submits.
#include "jobs/session_settings.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "pg/boundary/boundary.h"

extern "C" {
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
}

namespace epe::jobs {

namespace {

constexpr const char* kAlways[] = {"search_path",   "TimeZone",           "DateStyle",
                                   "IntervalStyle", "extra_float_digits", "bytea_output",
                                   "row_security"};
// A job has a time limit of its own, no client, and a fixed role.
constexpr const char* kNever[] = {"application_name",
                                  "client_encoding",
                                  "client_min_messages",
                                  "is_superuser",
                                  "lock_timeout",
                                  "role",
                                  "seed",
                                  "session_authorization",
                                  "statement_timeout",
                                  "transaction_deferrable",
                                  "transaction_isolation",
                                  "transaction_read_only",
                                  "transaction_timeout",
                                  "idle_session_timeout",
                                  "idle_in_transaction_session_timeout",
                                  "default_transaction_read_only"};

template <std::size_t kCount>
bool is_one_of(const char* const (&names)[kCount], const char* name) noexcept {
    return std::any_of(std::begin(names), std::end(names),
                       [=](const char* each) { return strcmp(each, name) == 0; });
}

config_generic** all_settings(int* count) noexcept {
#if PG_VERSION_NUM >= 160000
    return get_guc_variables(count);
#else
    *count = GetNumConfigOptions();
    return get_guc_variables();
#endif
}

bool is_wanted(const config_generic& setting) noexcept {
    if (is_one_of(kAlways, setting.name)) return true;
    if (is_one_of(kNever, setting.name)) return false;
    if (setting.context != PGC_USERSET && setting.context != PGC_SUSET) return false;
    return setting.source == PGC_S_DATABASE || setting.source == PGC_S_USER ||
           setting.source == PGC_S_DATABASE_USER || setting.source == PGC_S_CLIENT ||
           setting.source == PGC_S_SESSION;
}

/// Precedes the name of a setting that no loaded library has defined. Whether the user may set it
/// is checked only when a library defines it, in a session together with its value; the job must do
/// the same.
constexpr char kUnknownMark = '?';

struct Setting {
    const char* name;
    const char* value;
    bool is_unknown;
};

/// At most `room` of them; returns their total number.
int list_settings(Setting* into, int room) noexcept {
    int count = 0;
    config_generic** settings = all_settings(&count);
    int found = 0;
    for (int i = 0; i < count && found < room; ++i) {
        if (!is_wanted(*settings[i])) continue;
        const char* value = GetConfigOption(settings[i]->name, true, false);
        const bool is_unknown = (settings[i]->flags & GUC_CUSTOM_PLACEHOLDER) != 0;
        if (value != nullptr) into[found++] = {settings[i]->name, pstrdup(value), is_unknown};
    }
    return found;
}

}  // namespace

std::vector<std::string> session_settings() {
    constexpr int kMost = 500;
    std::vector<Setting> room(kMost);
    Setting* first = room.data();
    const int count = pg::guarded([=]() noexcept { return list_settings(first, kMost); });
    std::vector<std::string> settings;
    for (int i = 0; i < count; ++i) {
        settings.emplace_back((first[i].is_unknown ? std::string(1, kUnknownMark) : "") +
                              first[i].name);
        settings.emplace_back(first[i].value);
    }
    return settings;
}

void apply_settings(const std::vector<std::string>& settings) {
    for (std::size_t i = 0; i + 1 < settings.size(); i += 2) {
        const bool is_unknown = settings[i].front() == kUnknownMark;
        const char* name = settings[i].c_str() + (is_unknown ? 1 : 0);
        const char* value = settings[i + 1].c_str();
        // The others were set in the session, which had the right to set them.
        pg::guarded([=]() noexcept {
            const GucContext rights = is_unknown && !superuser() ? PGC_USERSET : PGC_SUSET;
            (void)set_config_option(name, value, rights, PGC_S_SESSION, GUC_ACTION_LOCAL, true,
                                    is_unknown ? WARNING : 0, false);
        });
    }
}

}  // namespace epe::jobs
