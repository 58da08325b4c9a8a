// Finds a table, view or composite type by a name as users write it.
#pragma once

#include <string>
#include <vector>

#include "core/request/identifiers.h"

namespace epe::pg {

struct FoundRelation {
    unsigned oid = 0;
    std::string qualified_name{};  ///< schema and name in quotes, UTF-8
};

/// Finds a relation by its name, schema and name, or database, schema and name along the search
/// path: as written, then folded to lower case, then a unique match ignoring case; quoted parts
/// only as written. `argument` is the SQL argument, for messages. Composite types match only with
/// `allows_composite`. Checks no privilege. Throws Error 22023 (another database), 42P01 listing
/// candidates.
FoundRelation find_relation(const std::vector<NamePart>& parts, const char* argument,
                            bool allows_composite);

}  // namespace epe::pg
