// TLS for the gateway's HTTP connections.
#pragma once

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace epe::gateway {

/// An unusable certificate or key; the message is for the operator.
struct TlsError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct FreeSsl {
    void operator()(SSL* ssl) const;
};
using OwnedSsl = std::unique_ptr<SSL, FreeSsl>;

/// The certificate and other settings shared by connections; TLS 1.2 and later.
class TlsContext {
   public:
    /// Throws TlsError.
    TlsContext(std::string certificate, std::string key);
    /// Reloads the files; open connections keep the former certificate. Throws TlsError, and then
    /// keeps the former certificate.
    void reload();
    /// The server side of a new connection. Throws std::bad_alloc.
    OwnedSsl accept(int descriptor);

   private:
    struct FreeContext {
        void operator()(SSL_CTX* context) const;
    };
    using OwnedContext = std::unique_ptr<SSL_CTX, FreeContext>;
    OwnedContext load() const;

    const std::string certificate_;
    const std::string key_;
    std::mutex mutex_;
    OwnedContext context_;
};

}  // namespace epe::gateway
