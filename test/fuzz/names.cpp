// Fuzz target: identifiers, lists of columns and type names that users write.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "attempt.h"
#include "core/request/identifiers.h"
#include "core/request/oracle_type_names.h"
#include "target.h"

namespace {

using epe::fuzz::attempt;
using epe::fuzz::require;

void check_names(const std::string& text) {
    attempt([&] {
        std::string again;
        const std::vector<epe::NamePart> parts = epe::split_qualified_name(text, "x");
        require(!parts.empty() && parts.size() <= 3, "number of parts");
        for (const epe::NamePart& part : parts)
            again += (again.empty() ? "" : ".") + epe::quote_identifier(part.text);
        const std::vector<epe::NamePart> same = epe::split_qualified_name(again, "x");
        require(same.size() == parts.size(), "quoting changes the number of parts");
        for (std::size_t i = 0; i < parts.size(); ++i)
            require(same[i].text == parts[i].text && same[i].was_quoted, "quoting changes a name");
    });
    attempt([&] {
        for (const epe::OrderColumn& column : epe::split_order_list(text, "x"))
            require(!column.name.text.empty(), "empty name");
    });
    attempt([&] {
        const epe::Schema schema{{"Species", {epe::Kind::kText}}, {"species", {epe::Kind::kText}}};
        for (const epe::NamePart& name : epe::split_column_list(text, "x"))
            require(epe::require_column(schema, name, "the input") >= 0, "index");
    });
    epe::looks_like_query(text);
    epe::postgres_type_name(text);
}

void run(std::string_view input) { check_names(std::string(input)); }

}  // namespace

EPE_FUZZ_TARGET(names, run, kBytes)
