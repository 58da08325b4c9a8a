// The settings (GUCs) of the extension, all named oml_epe.*.
#include "pg/backend/settings.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>

extern "C" {
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/varlena.h"
}

#include "pg/backend/gateway_settings.h"
#include "pg/boundary/boundary.h"

#ifndef EPE_ENGINE_PROGRAM
#define EPE_ENGINE_PROGRAM "oml_epe_engine"
#endif

namespace epe::pg {

namespace {

/// The values of the settings as PostgreSQL stores them. It owns the texts.
struct StoredSettings {
    int engine_choice = 0;
    int sandbox_choice = 0;
    char* engine_program = nullptr;
    char* preload = nullptr;
    char* environments_dir = nullptr;
    char* sandbox_read_paths = nullptr;
    char* sandbox_tcp_ports = nullptr;
    int low_engines = 0;
    int medium_engines = 0;
    int high_engines = 0;
    int max_engines = 0;
    int max_engines_per_role = 0;
    int engine_idle_timeout = 0;
    int engine_wait_timeout = 0;
    int engine_memory_limit = 0;
    int engine_temp_limit = 0;
    int engine_nice = 0;
    int max_jobs = 0;
    int max_jobs_per_role = 0;
    int job_retention = 0;
    int job_timeout = 0;
    int job_timeout_min = 0;
    int job_timeout_max = 0;
    int most_output_items = 0;
    int most_output_bytes = 0;
    int output_piece_bytes = 0;
    char* gateway_url = nullptr;
    bool plan_nodes = true;
};
StoredSettings stored;

const config_enum_entry kEngineChoices[] = {
    {"backend", static_cast<int>(EngineChoice::kBackend), false},
    {"process", static_cast<int>(EngineChoice::kProcess), false},
    {nullptr, 0, false}};
const config_enum_entry kSandboxChoices[] = {
    {"required", static_cast<int>(SandboxChoice::kRequired), false},
    {"preferred", static_cast<int>(SandboxChoice::kPreferred), false},
    {nullptr, 0, false}};

/// Splits a comma-separated list and trims blanks; empty items are dropped.
std::vector<std::string> split_list(const char* text) {
    std::vector<std::string> words;
    std::string word;
    for (const char* at = text; at != nullptr; ++at) {
        if (*at != ',' && *at != '\0') {
            if (word.empty() && *at == ' ') continue;
            word += *at;
            continue;
        }
        while (!word.empty() && word.back() == ' ') word.pop_back();
        if (!word.empty()) words.push_back(std::move(word));
        word.clear();
        if (*at == '\0') break;
    }
    return words;
}

/// For a check hook, which may neither throw nor longjmp.
bool are_ports(const char* text) noexcept {
    long port = 0;
    bool has_digit = false;
    bool is_over = false;  // a blank after a digit
    for (const char* at = text;; ++at) {
        if (*at >= '0' && *at <= '9') {
            if (is_over) return false;
            port = port * 10 + (*at - '0');
            has_digit = true;
            if (port > std::numeric_limits<std::uint16_t>::max()) return false;
        } else if (*at == ',' || *at == '\0') {
            if (has_digit && port == 0) return false;
            port = 0;
            has_digit = false;
            is_over = false;
            if (*at == '\0') return true;
        } else if (*at == ' ') {
            is_over = has_digit;
        } else {
            return false;
        }
    }
}

bool check_ports(char** text, void**, GucSource) noexcept {
    if (*text == nullptr || are_ports(*text)) return true;
    GUC_check_errdetail("Value must be a comma-separated list of port numbers from 1 to 65535.");
    return false;
}

bool check_paths(char** text, void**, GucSource) noexcept {
    bool is_start = true;
    for (const char* at = *text; at != nullptr && *at != '\0'; ++at) {
        if (*at == ',') {
            is_start = true;
        } else if (*at != ' ') {
            if (is_start && *at != '/') {
                GUC_check_errdetail("Value must be a comma-separated list of absolute paths.");
                return false;
            }
            is_start = false;
        }
    }
    return true;
}

bool check_folder(char** text, void**, GucSource) noexcept {
    if (*text == nullptr || **text == '\0' || **text == '/') return true;
    GUC_check_errdetail("Value must be an absolute path.");
    return false;
}

void define_engine_settings() noexcept {
    DefineCustomEnumVariable(
        "oml_epe.engine", "Selects where scripts of trusted roles run in calls with one engine.",
        "Parallel calls, other environments and scripts of other roles always use processes.",
        &stored.engine_choice, static_cast<int>(EngineChoice::kBackend), kEngineChoices,
        PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("oml_epe.engine_program", "Sets the path of the engine program.",
                               nullptr, &stored.engine_program, EPE_ENGINE_PROGRAM, PGC_SIGHUP, 0,
                               nullptr, nullptr, nullptr);
    DefineCustomStringVariable(
        "oml_epe.preload",
        "Lists the modules that are imported before an engine process is requested.", nullptr,
        &stored.preload, "numpy,pandas", PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable(
        "oml_epe.environments_dir", "Sets the folder of the virtual environments for env_name.",
        nullptr, &stored.environments_dir, "", PGC_SIGHUP, 0, check_folder, nullptr, nullptr);
}

struct IntegerSetting {
    const char* name;
    const char* text;
    int* value;
    int standard;
    int least;
    int most;
    GucContext context;
    int unit;
};

void define_integers() noexcept {
    constexpr int kMostEngines = 1000;
    constexpr int kHalfHour = 1800;  // seconds
    constexpr int kHalfDay = 43200;
    constexpr int kHalfYear = 180 * 86400;
    constexpr int kMost = std::numeric_limits<int>::max();
    const IntegerSetting settings[] = {
        {"oml_epe.low_engines",
         "Sets the maximum number of engines of a parallel call of service level LOW.",
         &stored.low_engines, 2, 1, kMostEngines, PGC_SUSET, 0},
        {"oml_epe.medium_engines",
         "Sets the maximum number of engines of a parallel call of service level MEDIUM.",
         &stored.medium_engines, 4, 1, kMostEngines, PGC_SUSET, 0},
        {"oml_epe.high_engines",
         "Sets the maximum number of engines of a parallel call of service level HIGH, and of "
         "oml_parallel.",
         &stored.high_engines, 8, 1, kMostEngines, PGC_SUSET, 0},
        {"oml_epe.max_engines", "Sets the maximum number of engine processes of the server.",
         &stored.max_engines, 16, 1, kMostEngines, PGC_SIGHUP, 0},
        {"oml_epe.max_engines_per_role",
         "Sets the maximum number of engine processes of one role; 0 disables the limit.",
         &stored.max_engines_per_role, 0, 0, kMostEngines, PGC_SUSET, 0},
        {"oml_epe.engine_idle_timeout",
         "Sets the time that a session keeps an idle engine process; 0 keeps it until the session "
         "ends.",
         &stored.engine_idle_timeout, 300, 0, kMost / 1000, PGC_SIGHUP, GUC_UNIT_S},
        {"oml_epe.engine_wait_timeout",
         "Sets the maximum time that a call waits for a free engine process.",
         &stored.engine_wait_timeout, 60000, 1, kMost, PGC_USERSET, GUC_UNIT_MS},
        {"oml_epe.engine_memory_limit",
         "Sets the maximum memory of an engine process in addition to its initial memory; 0 "
         "disables the limit.",
         &stored.engine_memory_limit, 4096, 0, kMost, PGC_SUSET, GUC_UNIT_MB},
        {"oml_epe.engine_temp_limit",
         "Sets the maximum size of the temporary folder of an engine process.",
         &stored.engine_temp_limit, 1024, 1, kMost, PGC_SUSET, GUC_UNIT_MB},
        {"oml_epe.engine_nice", "Sets the nice value of engine processes.", &stored.engine_nice, 10,
         0, 19, PGC_SUSET, 0},
        {"oml_epe.max_jobs",
         "Sets the maximum number of concurrent jobs of the server; 0 starts no jobs.",
         &stored.max_jobs, 4, 0, kMostJobs, PGC_SIGHUP, 0},
        {"oml_epe.max_jobs_per_role",
         "Sets the maximum number of concurrent jobs of a role in all databases; 0 disables the "
         "limit.",
         &stored.max_jobs_per_role, 0, 0, kMostJobs, PGC_SUSET, 0},
        {"oml_epe.job_retention",
         "Sets the time that ended jobs and their results are kept; 0 keeps them forever.",
         &stored.job_retention, kHalfYear, 0, kMost, PGC_SIGHUP, GUC_UNIT_S},
        {"oml_epe.job_timeout", "Sets the default \"timeout\" of a job.", &stored.job_timeout,
         kHalfHour, 1, kMost / 1000, PGC_SUSET, GUC_UNIT_S},
        {"oml_epe.job_timeout_min", "Sets the minimum \"timeout\" of a job.",
         &stored.job_timeout_min, kHalfHour, 1, kMost / 1000, PGC_SUSET, GUC_UNIT_S},
        {"oml_epe.job_timeout_max", "Sets the maximum \"timeout\" of a job.",
         &stored.job_timeout_max, kHalfDay, 1, kMost / 1000, PGC_SUSET, GUC_UNIT_S},
        {"oml_epe.output_limit",
         "Sets the maximum number of rows or items of a JSON, XML or PNG result; 0 disables the "
         "limit.",
         &stored.most_output_items, 0, 0, kMost, PGC_USERSET, 0},
        {"oml_epe.output_bytes",
         "Sets the maximum size of a JSON, XML or PNG result; 0 disables the limit.",
         &stored.most_output_bytes, 0, 0, kMost, PGC_USERSET, GUC_UNIT_BYTE},
        {"oml_epe.output_piece",
         "Sets the maximum size of a row of a JSON result; 0 returns one row.",
         &stored.output_piece_bytes, 0, 0, kMost, PGC_USERSET, GUC_UNIT_BYTE},
    };
    for (const IntegerSetting& each : settings)
        DefineCustomIntVariable(each.name, each.text, nullptr, each.value, each.standard,
                                each.least, each.most, each.context, each.unit, nullptr, nullptr,
                                nullptr);
}

void define_plan_settings() noexcept {
    DefineCustomBoolVariable(
        "oml_epe.plan_nodes", "Runs calls in FROM as plan nodes, which return rows as they come.",
        "Without them a call in FROM is a Function Scan, which returns rows once all are there.",
        &stored.plan_nodes, true, PGC_USERSET, 0, nullptr, nullptr, nullptr);
}

void define_sandbox_settings() noexcept {
    DefineCustomEnumVariable(
        "oml_epe.sandbox",
        "Selects whether scripts of untrusted roles may run without a complete sandbox.",
        "With \"required\", they are refused on a machine that cannot enforce it.",
        &stored.sandbox_choice, static_cast<int>(SandboxChoice::kRequired), kSandboxChoices,
        PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("oml_epe.sandbox_read_paths",
                               "Further files and folders that scripts in engine processes may "
                               "read.",
                               nullptr, &stored.sandbox_read_paths, "", PGC_SUSET, 0, check_paths,
                               nullptr, nullptr);
    DefineCustomStringVariable(
        "oml_epe.sandbox_tcp_ports",
        "Lists the TCP ports that scripts in engine processes may connect to.", nullptr,
        &stored.sandbox_tcp_ports, "", PGC_SUSET, 0, check_ports, nullptr, nullptr);
}

/// The settings that every role may set.
constexpr const char* kOfAllRoles[] = {"engine",       "engine_wait_timeout", "gateway_url",
                                       "output_bytes", "output_limit",        "output_piece",
                                       "plan_nodes"};

constexpr char kPrefix[] = "oml_epe.";

/// Whether the options of a client's connection have set a placeholder that only superusers may set
/// once the library is loaded.
bool is_forbidden(const config_generic& variable) noexcept {
    if ((variable.flags & GUC_CUSTOM_PLACEHOLDER) == 0 || variable.reset_source != PGC_S_CLIENT ||
        strncmp(variable.name, kPrefix, strlen(kPrefix)) != 0)
        return false;
    const char* name = variable.name + strlen(kPrefix);
    return std::none_of(std::begin(kOfAllRoles), std::end(kOfAllRoles),
                        [name](const char* allowed) { return strcmp(name, allowed) == 0; });
}

/// In a session that loads the library late, settings in the options of the connection are
/// placeholders that any role may set, and override the values of ALTER ROLE or the configuration
/// file. PostgreSQL would drop them with a warning, and the setting would have its built-in
/// default.
void refuse_options_of_client() noexcept {
    if (process_shared_preload_libraries_in_progress ||
        strcmp(GetConfigOption("is_superuser", false, false), "on") == 0)
        return;
#if PG_VERSION_NUM >= 160000
    int count = 0;
    config_generic** const variables = get_guc_variables(&count);
#else
    const int count = GetNumConfigOptions();
    config_generic** const variables = get_guc_variables();
#endif
    for (int i = 0; i < count; ++i)
        if (is_forbidden(*variables[i]))
            ereport(
                ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("permission denied to set parameter \"%s\" in the connection options",
                        variables[i]->name),
                 errhint("Connect without this option, or ask the administrator to add oml_epe to "
                         "\"shared_preload_libraries\".")));
}

}  // namespace

void define_settings() noexcept {
    refuse_options_of_client();
    define_engine_settings();
    define_integers();
    define_sandbox_settings();
    define_plan_settings();
    define_gateway_settings();
    DefineCustomStringVariable("oml_epe.gateway_url",
                               "Sets the prefix of the path in the URLs of jobs.", nullptr,
                               &stored.gateway_url, "", PGC_USERSET, 0, nullptr, nullptr, nullptr);
    // From here on, an unknown oml_epe.something is refused instead of kept silently. PostgreSQL 14
    // only warns about names that were set before.
#if PG_VERSION_NUM >= 150000
    MarkGUCPrefixReserved("oml_epe");
#else
    EmitWarningsOnPlaceholders("oml_epe");
#endif
}

EngineSettings engine_settings() {
    EngineSettings settings;
    settings.engine = static_cast<EngineChoice>(stored.engine_choice);
    settings.sandbox = static_cast<SandboxChoice>(stored.sandbox_choice);
    settings.program = stored.engine_program;
    settings.preload = split_list(stored.preload);
    settings.environments_folder = stored.environments_dir;
    settings.read_paths = split_list(stored.sandbox_read_paths);
    for (const std::string& port : split_list(stored.sandbox_tcp_ports))
        settings.tcp_ports.push_back(static_cast<std::uint16_t>(std::stoi(port)));
    settings.low_engines = stored.low_engines;
    settings.medium_engines = stored.medium_engines;
    settings.high_engines = stored.high_engines;
    settings.most_engines = stored.max_engines;
    settings.most_engines_of_role = stored.max_engines_per_role;
    settings.idle_seconds = stored.engine_idle_timeout;
    settings.wait_milliseconds = stored.engine_wait_timeout;
    settings.memory_bytes = std::int64_t{stored.engine_memory_limit} << 20;
    settings.temp_bytes = std::int64_t{stored.engine_temp_limit} << 20;
    settings.niceness = stored.engine_nice;
    return settings;
}

JobSettings job_settings() {
    return {stored.max_jobs,    stored.max_jobs_per_role, stored.job_retention,
            stored.job_timeout, stored.job_timeout_min,   stored.job_timeout_max,
            stored.gateway_url};
}

std::int64_t output_limit() { return stored.most_output_items; }
std::int64_t output_bytes() { return stored.most_output_bytes; }
std::int64_t output_piece() { return stored.output_piece_bytes; }

bool plan_nodes() noexcept { return stored.plan_nodes; }

std::string engine_folder() { return std::string(DataDir) + "/pgsql_tmp_oml_epe"; }

std::string supervisor_socket() { return "pgsql_tmp_oml_epe/engines.sock"; }

}  // namespace epe::pg
