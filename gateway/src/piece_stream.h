// An answer that is sent while it is read.
#pragma once

#include <string>

namespace epe::gateway {

class PieceStream {
   public:
    virtual ~PieceStream() = default;
    /// The next piece of the answer; the last one once is_done(). Throws DatabaseError, ApiError,
    /// ClientGone.
    virtual std::string next() = 0;
    virtual bool is_done() const = 0;
};

}  // namespace epe::gateway
