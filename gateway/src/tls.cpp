#include "tls.h"

#include <array>
#include <new>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace epe::gateway {

namespace {

[[noreturn]] void fail(const std::string& what) {
    std::array<char, 256> reason{};
    ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
    ERR_clear_error();
    throw TlsError(what + ": " + reason.data());
}

/// Prevents a passphrase prompt on a terminal for an encrypted key.
int refuse_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

void FreeSsl::operator()(SSL* ssl) const { SSL_free(ssl); }

void TlsContext::FreeContext::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }

TlsContext::TlsContext(std::string certificate, std::string key)
    : certificate_(std::move(certificate)), key_(std::move(key)), context_(load()) {}

TlsContext::OwnedContext TlsContext::load() const {
    OwnedContext made(SSL_CTX_new(TLS_server_method()));
    if (!made) throw std::bad_alloc();
    SSL_CTX* context = made.get();
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) fail("cannot require TLS 1.2");
    (void)SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Buffers of idle connections are freed; partial writes are allowed.
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, certificate_.c_str()) != 1)
        fail("cannot use the certificate \"" + certificate_ + "\"");
    if (SSL_CTX_use_PrivateKey_file(context, key_.c_str(), SSL_FILETYPE_PEM) != 1)
        fail("cannot use the key \"" + key_ + "\"");
    if (SSL_CTX_check_private_key(context) != 1)
        fail("the key \"" + key_ + "\" does not match the certificate");
    return made;
}

void TlsContext::reload() {
    OwnedContext made = load();
    const std::lock_guard lock(mutex_);
    context_ = std::move(made);
}

OwnedSsl TlsContext::accept(int descriptor) {
    const std::lock_guard lock(mutex_);
    OwnedSsl ssl(SSL_new(context_.get()));
    if (!ssl || SSL_set_fd(ssl.get(), descriptor) != 1) throw std::bad_alloc();
    SSL_set_accept_state(ssl.get());
    return ssl;
}

}  // namespace epe::gateway
