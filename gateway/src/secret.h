// A text that is wiped when it is destroyed.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include <openssl/crypto.h>

namespace epe::gateway {

/// Not a std::string: moving a short std::string leaves a copy of the text behind.
class Secret {
   public:
    Secret() = default;
    explicit Secret(std::string_view text)
        : text_(std::make_unique<char[]>(text.size() + 1)), size_(text.size()) {
        std::memcpy(text_.get(), text.data(), text.size());
    }
    Secret(Secret&& other) noexcept
        : text_(std::move(other.text_)), size_(std::exchange(other.size_, 0)) {}
    Secret& operator=(Secret&& other) noexcept {
        std::swap(text_, other.text_);
        std::swap(size_, other.size_);
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() {
        if (text_) OPENSSL_cleanse(text_.get(), size_);
    }

    Secret copy() const { return text_ ? Secret({text_.get(), size_}) : Secret(); }
    bool is_empty() const { return size_ == 0; }
    bool equals(const Secret& other) const {
        return size_ == other.size_ && CRYPTO_memcmp(c_str(), other.c_str(), size_) == 0;
    }
    const char* c_str() const { return text_ ? text_.get() : ""; }

   private:
    std::unique_ptr<char[]> text_;
    std::size_t size_ = 0;
};

}  // namespace epe::gateway
