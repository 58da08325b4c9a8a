// A running call and everything that it owns.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "entry/run_request.h"
#include "pg/catalog/script_store.h"

namespace epe {

/// A script of the repository, or one of the request's own.
class FoundScript {
   public:
    /// The one that the request names, or contains.
    explicit FoundScript(const Request& request);
    explicit FoundScript(Script own) : own_(std::move(own)) {}
    const Script& operator*() const noexcept { return stored_ ? **stored_ : own_; }

   private:
    std::optional<pg::PinnedScript> stored_{};
    Script own_{};
};

/// What a call is made from. Filled in place, since its parts refer to each other.
struct CallParts {
    CallParts(Request&& of, OutputShape of_shape)
        : request(std::move(of)), shape(std::move(of_shape)) {}

    Request request;
    OutputShape shape;
    std::optional<FoundScript> script{};
    std::unique_ptr<Host> host{};
    std::unique_ptr<InputSource> source{};  ///< null for kEval and kIndex
    std::unique_ptr<Cut> cut{};
    EngineRules rules{};
    std::optional<EvalFunction> joined_as{};  ///< as in CallPlan
    bool takes_all = false;                   ///< as in CallPlan
    int untrusted_depth = 0;                  ///< see UntrustedDepth; while its steps run
    bool shows_progress = false;
    bool is_remembered = false;  ///< pyq_last_call() shows it
};

/// Chooses the engine that the rules allow, and warns of unknown control arguments.
std::unique_ptr<RunningCall> start_call(std::unique_ptr<CallParts> parts);

/// While it lives, so many of the requests that run, each of which was called by the SQL of the one
/// before, are untrusted. Requests of an untrusted script in the name of the caller do not count as
/// the caller's own.
class UntrustedDepth {
   public:
    explicit UntrustedDepth(int depth) noexcept;
    ~UntrustedDepth();
    UntrustedDepth(const UntrustedDepth&) = delete;
    UntrustedDepth& operator=(const UntrustedDepth&) = delete;
    static int current() noexcept;

   private:
    int outer_;
};

/// Warns of control arguments that the extension does not know.
void warn_of_unknown(const Controls& controls);

}  // namespace epe
