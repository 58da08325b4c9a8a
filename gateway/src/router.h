// Finds the route of a request.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "route.h"

namespace epe::gateway {

/// The decoded segments of a request target, without the query; alternative spellings of paths are
/// converted to the one used by routes. Empty if the target is malformed: invalid percent encoding,
/// a NUL, text that is not UTF-8, or no leading slash.
std::vector<std::string> split_target(std::string_view target);

struct RouteMatch {
    const Route* route = nullptr;             ///< null: see allowed
    std::map<std::string, std::string> path;  ///< values of the names in the template
    std::string allowed;        ///< "GET, HEAD": methods allowed for this path; empty: none
    std::string path_template;  ///< template of the path, for any method
};

class Router {
   public:
    explicit Router(std::span<const Route> routes);
    /// A fixed segment of a template takes precedence over a name.
    RouteMatch find(std::string_view method, const std::vector<std::string>& path) const;

   private:
    struct Entry {
        const Route* route;
        std::vector<std::string> words;  // segments of the template
        std::size_t names = 0;
    };
    std::vector<Entry> entries_;  // sorted by number of names, ascending
};

}  // namespace epe::gateway
