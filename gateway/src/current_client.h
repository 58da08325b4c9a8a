// Whose request the current thread works on.
#pragma once

namespace epe::gateway {

/// While it lives, ClientWatch of this thread looks at that socket. httplib's requests do not show
/// theirs.
class CurrentClient {
   public:
    explicit CurrentClient(int descriptor);
    CurrentClient(const CurrentClient&) = delete;
    CurrentClient& operator=(const CurrentClient&) = delete;
    ~CurrentClient();
};

}  // namespace epe::gateway
