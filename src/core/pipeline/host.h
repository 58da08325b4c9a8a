// The ports towards the database: what a running script may ask for, and how one waits for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch/batch.h"

namespace epe {

/// A parameter of SQL that a script runs: NULL, the text of a value, or the bytes of a bytea.
struct HostParameter {
    std::optional<std::string> text{};
    const char* sql_type = "";                ///< "" lets PostgreSQL infer it
    std::optional<std::string_view> bytes{};  ///< borrowed; instead of a text, as they are
    /// The text where the statement asks for another type: for "timestamp" timestamptz, for "jsonb"
    /// an hstore, for "anyarray", which PostgreSQL infers, json or jsonb.
    std::optional<std::string> alternative{};
};

/// What a script's SQL gave.
struct HostResult {
    Schema schema{};  ///< empty when the statement returns no rows
    Batch batch{};
    std::int64_t row_count = 0;  ///< rows returned or affected
};

/// Somebody for whom work is done here, and who may have gone before it is done.
class Asker {
   public:
    /// Safe in a signal handler.
    virtual bool is_gone() const noexcept = 0;

   protected:
    ~Asker() = default;
};

/// What a running script may ask of PostgreSQL. Every method may throw PgError; called only on
/// the thread that called the engine.
class Host {
   public:
    virtual ~Host() = default;
    virtual void notice(std::string_view text) = 0;
    virtual void warning(std::string_view text) = 0;
    /// Runs one statement in a subtransaction of the calling transaction, as the calling user.
    /// Throws Error (not PgError) when the statement failed and was rolled back alone.
    virtual HostResult execute(const std::string& sql,
                               const std::vector<HostParameter>& parameters) = 0;
    /// Handles pending interrupts; throws when one of them ends the statement.
    virtual void check_interrupts() = 0;
    /// From now on, until unwatch(), what this process does is cancelled (PgError 57014) within a
    /// second when the asker goes; it is borrowed. A Host in the asker's own process need not.
    virtual void watch(const Asker&) {}
    virtual void unwatch() noexcept {}
};

/// Waits that PostgreSQL may interrupt.
class Waiter {
   public:
    virtual ~Waiter() = default;
    /// Returns when the descriptor can be read, when something else woke the process, or after
    /// that many milliseconds (-1: no limit). Handles interrupts, and throws when one of them ends
    /// the statement; a client that has gone away counts as one.
    virtual void wait_readable(int descriptor, std::int64_t milliseconds) = 0;
    /// Lets the same interrupt a caller that finds no time to wait.
    virtual void check() = 0;
};

/// Interrupt flags of the process, readable from a signal handler.
struct InterruptFlags {
    bool (*is_pending)() noexcept = nullptr;  ///< anything to be handled by check_interrupts()
    bool (*is_cancel)() noexcept = nullptr;   ///< the statement must end: cancel or terminate
    bool (*is_last)() noexcept = nullptr;     ///< the process ends: nothing is needed afterwards
};

}  // namespace epe
