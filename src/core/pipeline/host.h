// The ports towards the database: services for a running script, and waiting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch/batch.h"

namespace epe {

/// A parameter of an SQL statement of a script: NULL, the text of a value, or the bytes of a bytea.
struct HostParameter {
    std::optional<std::string> text{};
    const char* sql_type = "";                ///< "" lets PostgreSQL infer it
    std::optional<std::string_view> bytes{};  ///< borrowed; binary value, used instead of a text
    /// The text to use if the statement expects another type: timestamptz instead of "timestamp",
    /// hstore instead of "jsonb", json or jsonb instead of "anyarray", which PostgreSQL infers.
    std::optional<std::string> alternative{};
};

/// The result of a script's SQL statement.
struct HostResult {
    Schema schema{};  ///< empty when the statement returns no rows
    Batch batch{};
    std::int64_t row_count = 0;  ///< rows returned or affected
};

/// Requester: the peer a statement runs for; it may disconnect before the statement ends.
class Requester {
   public:
    /// Async-signal-safe.
    virtual bool is_gone() const noexcept = 0;

   protected:
    ~Requester() = default;
};

/// PostgreSQL's services for a running script. Every method may throw PgError; called only on the
/// thread that called the engine.
class Host {
   public:
    virtual ~Host() = default;
    virtual void notice(std::string_view text) = 0;
    virtual void warning(std::string_view text) = 0;
    /// Runs one statement in a subtransaction of the calling transaction, as the calling user.
    /// Throws Error (not PgError) when the statement failed and only its subtransaction was rolled
    /// back.
    virtual HostResult execute(const std::string& sql,
                               const std::vector<HostParameter>& parameters) = 0;
    /// Processes pending interrupts; throws when one of them ends the statement.
    virtual void check_interrupts() = 0;
    /// Until unwatch(), work of this process is cancelled (PgError 57014) within a second after the
    /// requester disconnects; the requester is borrowed. No-op for a Host in the requester's own
    /// process.
    virtual void watch(const Requester&) {}
    virtual void unwatch() noexcept {}
};

/// Interruptible waits.
class Waiter {
   public:
    virtual ~Waiter() = default;
    /// Returns when the descriptor is readable, when the process latch was set, or after that many
    /// milliseconds (-1: no limit). Processes interrupts, and throws when one of them ends the
    /// statement; a client that disconnected counts as such.
    virtual void wait_readable(int descriptor, std::int64_t milliseconds) = 0;
    /// Processes interrupts without blocking, for loops that never wait.
    virtual void check() = 0;
};

/// Interrupt flags of the process, readable from a signal handler.
struct InterruptFlags {
    bool (*is_pending)() noexcept = nullptr;  ///< any interrupt for check_interrupts() to process
    bool (*is_cancel)() noexcept = nullptr;   ///< the statement must end: cancel or terminate
    bool (*is_last)() noexcept = nullptr;     ///< the process is ending: no clean-up is needed
};

}  // namespace epe
