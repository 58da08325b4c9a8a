// Heads of requests that others might read in another way.
#pragma once

#include <string>

namespace epe::gateway {

/// Looks at each byte of a request's head before httplib does, which takes much for good: a proxy
/// in front that reads it otherwise could be made to see one request where we see two. Knows the
/// form of lines only, not what they say.
class HeadScanner {
   public:
    /// False: the head is none that everybody reads alike. Then it stays false.
    bool take(char byte);

   private:
    enum class Place { kRequestLine, kLineStart, kName, kValue, kBad };

    bool end_line();

    Place place_ = Place::kRequestLine;
    char previous_ = '\0';
    std::string name_{};  // of the header, lower-case, as far as it matters
    bool has_value_ = false;
};

}  // namespace epe::gateway
