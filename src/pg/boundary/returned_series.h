// Set-returning functions that return one bytea per call while the query reads them.
#pragma once

#include <cstddef>
#include <memory>

namespace epe::pg {

class FunctionCall;

/// The values of one call. It lives from the first row to the last, across the executor's calls for
/// them.
class ByteSeries {
   public:
    virtual ~ByteSeries() = default;
    /// Computes the next value; false at the end. May throw: the series is not used afterwards.
    virtual bool advance() = 0;
    /// The value that advance() computed.
    virtual std::size_t size() const noexcept = 0;
    virtual void write(std::byte* to) const noexcept = 0;
    /// Releases its PostgreSQL resources, at the end and when the query ends early. Not called when
    /// an error ends the query: the abort releases them, and the destructor calls no PostgreSQL
    /// function.
    virtual void close() = 0;
};

/// The body of such a function: on the first call, `make` creates the series in a memory context
/// that lives as long. Throws Error 0A000 where no set is accepted, 54000 for a value that is too
/// long.
void return_series(FunctionCall& call, std::unique_ptr<ByteSeries> (*make)(const FunctionCall&));

}  // namespace epe::pg
