// PostgreSQL's services for a script in an engine process: forwards them to the backend.
#pragma once

#include "core/pipeline/ports.h"
#include "engine/link/backend_link.h"

namespace epe::engine {

/// Errors that the script may not handle become Error 57014: the statement must end.
class RemoteHost final : public Host {
   public:
    explicit RemoteHost(BackendLink& link) noexcept : link_(link) {}

    void notice(std::string_view text) override { say(ToBackend::kNotice, text); }
    void warning(std::string_view text) override { say(ToBackend::kWarning, text); }
    HostResult execute(const std::string& sql,
                       const std::vector<HostParameter>& parameters) override;
    void check_interrupts() override;

   private:
    void say(ToBackend type, std::string_view text);

    BackendLink& link_;
};

/// The batches of an iterator, fetched from the backend one at a time.
class RemoteStream final : public BatchStream {
   public:
    RemoteStream(BackendLink& link, const Schema& schema) noexcept : link_(link), schema_(schema) {}
    bool next(Batch& batch) override;

   private:
    BackendLink& link_;
    const Schema& schema_;
};

}  // namespace epe::engine
