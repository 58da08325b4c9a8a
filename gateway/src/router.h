// Finds the route of a request.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "route.h"

namespace epe::gateway {

/// The parts of a request's target between slashes, decoded, without the query; the other spellings
/// of our paths are brought to the one that routes are written in. Empty when the target is none:
/// broken percent codes, a NUL, text that is not UTF-8, no slash at the start.
std::vector<std::string> split_target(std::string_view target);

struct RouteMatch {
    const Route* route = nullptr;             ///< null: see allowed
    std::map<std::string, std::string> path;  ///< values of the template's names
    std::string allowed;                      ///< "GET, HEAD": methods of this path; empty: none
    std::string path_template;                ///< of the path, whatever the method
};

class Router {
   public:
    explicit Router(std::span<const Route> routes);
    /// A fixed word of a template is preferred to a name.
    RouteMatch find(std::string_view method, const std::vector<std::string>& path) const;

   private:
    struct Entry {
        const Route* route;
        std::vector<std::string> words;  // of the template
        std::size_t names = 0;
    };
    std::vector<Entry> entries_;  // fewest names first
};

}  // namespace epe::gateway
