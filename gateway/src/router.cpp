#include "router.h"

#include <algorithm>
#include <set>

#include "core/utf8.h"

namespace epe::gateway {

namespace {

bool is_name(const std::string& word) { return word.starts_with('{'); }

int hex_digit(char each) {
    if (each >= '0' && each <= '9') return each - '0';
    if (each >= 'a' && each <= 'f') return each - 'a' + 10;
    if (each >= 'A' && each <= 'F') return each - 'A' + 10;
    return -1;
}

/// False for invalid percent encoding and for text that is not valid.
bool decode(std::string_view coded, std::string& text) {
    for (std::size_t i = 0; i < coded.size(); ++i) {
        if (coded[i] != '%') {
            text += coded[i];
            continue;
        }
        if (i + 2 >= coded.size()) return false;
        const int high = hex_digit(coded[i + 1]);
        const int low = hex_digit(coded[i + 2]);
        if (high < 0 || low < 0) return false;
        text += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return epe::is_clean_utf8(text);
}

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> words;
    std::size_t start = 1;
    while (start <= path.size()) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        words.emplace_back(path.substr(start, end - start));
        start = end + 1;
    }
    return words;
}

/// Alternative spellings of paths (compatibility.md, REST-2).
void resolve_aliases(std::vector<std::string>& path) {
    constexpr std::size_t kTenant = 5;  // SERVICE/tenants/T/databases/D
    if (path.size() > kTenant && path[1] == "tenants" && path[3] == "databases" &&
        (path[0] == "oml" || path[0] == "omlusers" || path[0] == "omlmod"))
        path.erase(path.begin() + 1, path.begin() + kTenant);
    if (path.size() > 1 && path[0] == "api" && path[1] == "py-scripts")
        path.insert(path.begin(), "oml");
    if (path.size() > 2 && path[0] == "omlmod" && path[2] == "oauth2") path[0] = "omlusers";
}

}  // namespace

std::vector<std::string> split_target(std::string_view target) {
    target = target.substr(0, target.find_first_of("?#"));
    if (!target.starts_with('/')) return {};
    std::vector<std::string> path;
    for (const std::string& coded : split(target)) {
        std::string word;
        if (!decode(coded, word)) return {};
        path.push_back(std::move(word));
    }
    if (path.size() > 1 && path.back().empty()) path.pop_back();  // trailing slash
    resolve_aliases(path);
    return path;
}

Router::Router(std::span<const Route> routes) {
    for (const Route& route : routes) {
        Entry entry{&route, split(route.path), 0};
        entry.names = static_cast<std::size_t>(
            std::count_if(entry.words.begin(), entry.words.end(), is_name));
        entries_.push_back(std::move(entry));
    }
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const Entry& a, const Entry& b) { return a.names < b.names; });
}

RouteMatch Router::find(std::string_view method, const std::vector<std::string>& path) const {
    RouteMatch match;
    std::set<std::string> methods;
    const std::string_view wanted = method == "HEAD" ? "GET" : method;
    for (const Entry& entry : entries_) {
        const bool fits = std::equal(entry.words.begin(), entry.words.end(), path.begin(),
                                     path.end(), [](const auto& word, const auto& given) {
                                         return is_name(word) ? !given.empty() : word == given;
                                     });
        if (!fits) continue;
        if (match.path_template.empty()) match.path_template = entry.route->path;
        // A path of fixed segments takes precedence over names that would also match.
        if (match.path_template != entry.route->path) continue;
        methods.insert(entry.route->method);
        if (methods.contains("GET")) methods.insert("HEAD");
        if (wanted != entry.route->method) continue;
        match.route = entry.route;
        for (std::size_t i = 0; i < path.size(); ++i)
            if (is_name(entry.words[i]))
                match.path[entry.words[i].substr(1, entry.words[i].size() - 2)] = path[i];
    }
    for (const std::string& each : methods)
        match.allowed += (match.allowed.empty() ? "" : ", ") + each;
    return match;
}

}  // namespace epe::gateway
