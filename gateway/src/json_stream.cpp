#include "json_stream.h"

#include <utility>

namespace epe::gateway {

RowQuery json_query(const SqlCall& call) {
    return {"SELECT pg_catalog.convert_to(value, 'UTF8') FROM " + call.function +
                " AS t(name text, value text)",
            call.parameters, /* is_binary */ true};
}

JsonStream::JsonStream(std::unique_ptr<Lease> lease, const httplib::Request& request,
                       const SqlCall& call, std::string end)
    : lease_(std::move(lease)), watch_(request),
      rows_(lease_->last_rows(json_query(call), &watch_)), ahead_(rows_.next()),
      end_(std::move(end)) {}

std::string JsonStream::next() {
    const std::string_view begin = has_begun_ ? "" : R"({"result":)";
    const bool is_null = !ahead_ || ahead_->is_null(0, 0);
    const std::string_view value = is_null ? "null" : ahead_->value(0, 0);
    std::string piece;
    piece.reserve(begin.size() + value.size() + end_.size());
    piece.append(begin).append(value);
    has_begun_ = true;
    if (ahead_) ahead_ = rows_.next();
    if (!ahead_) {
        piece += end_;
        is_done_ = true;
    }
    return piece;
}

}  // namespace epe::gateway
