// The processes left by an earlier supervisor of the same owner: engines that still work for their
// sessions, gateways that finish their last requests, and processes that must end at once.
#pragma once

#include <poll.h>

#include <string>
#include <vector>

#include "engine/common/descriptor.h"

namespace epe::engine {

class Strays {
   public:
    /// Finds them and ends those of no use. Must be constructed before this supervisor has
    /// children: every process of the owner's folder belongs to an earlier one. The owner has at
    /// most one supervisor at a time.
    explicit Strays(const std::string& folder);

    /// Ends engines whose session is gone, and removes the folders of processes that have ended.
    void end_processes();
    void add_polled(std::vector<pollfd>& polled) const;

   private:
    struct Stray {
        Descriptor process{};
        Descriptor backend{};  // the backend of the engine; empty once that has ended
        std::string folder{};
        bool is_gateway = false;  // it may finish its open requests
    };

    std::vector<Stray> strays_{};
};

}  // namespace epe::engine
