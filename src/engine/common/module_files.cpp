// Whether the packages of a Python environment include a module, as far as file names tell.
#include "engine/common/module_files.h"

#include <algorithm>
#include <system_error>

namespace epe::engine {

namespace fs = std::filesystem;

bool can_be_module(std::string_view name) noexcept {
    constexpr std::size_t kLongest = 200;
    const auto is_part = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0;
    };
    return !name.empty() && name.size() <= kLongest &&
           std::all_of(name.begin(), name.end(), is_part);
}

bool has_module(const std::filesystem::path& site, const std::string& module) {
    std::error_code error;
    if (fs::is_directory(site / module, error) ||
        fs::is_regular_file(site / (module + ".py"), error))
        return true;
    for (fs::directory_iterator entry(site, error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (name.starts_with(module + ".") && name.ends_with(".so")) return true;
    }
    return false;
}

}  // namespace epe::engine
