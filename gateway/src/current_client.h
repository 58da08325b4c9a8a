// The client whose request the current thread handles.
#pragma once

namespace epe::gateway {

/// While it exists, ClientWatch objects of this thread watch the given socket. httplib's requests
/// do not expose theirs.
class CurrentClient {
   public:
    explicit CurrentClient(int descriptor);
    CurrentClient(const CurrentClient&) = delete;
    CurrentClient& operator=(const CurrentClient&) = delete;
    ~CurrentClient();
};

}  // namespace epe::gateway
