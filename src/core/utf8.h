// Strict UTF-8, as PostgreSQL's texts must be.
#pragma once

#include <string_view>

namespace epe {

/// True for UTF-8 without character 0, surrogates, overlong forms and codes above U+10FFFF.
bool is_clean_utf8(std::string_view text) noexcept;
/// The same, but character 0 is allowed.
bool is_utf8(std::string_view text) noexcept;

}  // namespace epe
