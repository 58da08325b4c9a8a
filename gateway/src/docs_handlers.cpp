// The API documentation page, compiled in from gateway/web.
#include <httplib.h>

#include <array>
#include <stdexcept>
#include <string_view>

#include "handlers.h"

namespace epe::gateway {
namespace {

struct WebFile {
    std::string_view name;
    std::string_view text;
};

constexpr std::array kFiles = std::to_array<WebFile>({
#include "web_files.inc"
});

void answer_file(Exchange& exchange, std::string_view name, const char* type) {
    for (const WebFile& file : kFiles) {
        if (file.name != name) continue;
        exchange.response.status = 200;
        exchange.response.set_content(std::string(file.text), type);
        // All resources come from this host; the page's script calls the API of this host.
        exchange.response.set_header("Content-Security-Policy",
                                     "default-src 'none'; script-src 'self'; style-src 'self'; "
                                     "connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
                                     "form-action 'self'; frame-ancestors 'none'");
        return;
    }
    throw std::logic_error("no such file in gateway/web");
}

}  // namespace

void show_docs_page(Exchange& exchange) {
    answer_file(exchange, "index.html", "text/html; charset=utf-8");
}
void show_docs_script(Exchange& exchange) {
    answer_file(exchange, "docs.js", "text/javascript; charset=utf-8");
}
void show_docs_style(Exchange& exchange) {
    answer_file(exchange, "docs.css", "text/css; charset=utf-8");
}

}  // namespace epe::gateway
