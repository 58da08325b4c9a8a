// A response that is sent while it is read from the database.
#pragma once

#include <string>

namespace epe::gateway {

class PieceStream {
   public:
    virtual ~PieceStream() = default;
    /// The next piece of the response; is_done() is true after the last one. Throws DatabaseError,
    /// ApiError, ClientGone.
    virtual std::string next() = 0;
    virtual bool is_done() const = 0;
};

}  // namespace epe::gateway
