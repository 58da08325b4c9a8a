// Strict check of request heads, against request smuggling.
#pragma once

#include <string>

namespace epe::gateway {

/// Checks each byte of a request's head before httplib parses it. httplib accepts many malformed
/// heads. If a proxy in front parsed such a head differently, the proxy and the gateway would see
/// different requests. Checks the syntax of lines only, not their meaning.
class HeadScanner {
   public:
    /// False if the head is malformed or ambiguous; every further call then returns false.
    bool take(char byte);

   private:
    enum class Place { kRequestLine, kLineStart, kName, kValue, kBad };

    bool end_line();

    Place place_ = Place::kRequestLine;
    char previous_ = '\0';
    std::string name_{};  // header name, lower-case, truncated to kLongestName
    bool has_value_ = false;
};

}  // namespace epe::gateway
