#include "script_name.h"

#include "answer.h"

namespace epe::gateway {

constexpr const char* kGlobalInApi = "PYQSYS";
constexpr const char* kGlobalInSql = "pyqsys";

std::string owner_in_sql(const std::string& owner) {
    return owner == kGlobalInApi ? kGlobalInSql : owner;
}

std::string owner_in_api(const std::string& owner) {
    return owner == kGlobalInSql ? kGlobalInApi : owner;
}

ScriptName script_in_path(const Exchange& exchange) {
    ScriptName script{path_text(exchange, "scriptName")};
    if (exchange.path.contains("ownerName"))
        script.owner = owner_in_sql(path_text(exchange, "ownerName"));
    else if (const auto owner = query_text(exchange, "owner"))
        script.owner = owner_in_sql(*owner);
    return script;
}

}  // namespace epe::gateway
