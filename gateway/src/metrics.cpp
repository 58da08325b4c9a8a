#include "metrics.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace epe::gateway {

namespace {

std::string number_text(double number) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    return {text.data(), end};
}

std::string escaped(std::string_view label) {
    std::string text;
    for (const char each : label) {
        if (each == '\\' || each == '"') text += '\\';
        text += each == '\n' ? ' ' : each;
    }
    return text;
}

/// Writes the metrics one at a time.
class Writer {
   public:
    void begin(std::string_view name, std::string_view type, std::string_view help) {
        name_ = "oml_epe_gateway_" + std::string(name);
        text_.append("# HELP ").append(name_).append(" ").append(help).append("\n");
        text_.append("# TYPE ").append(name_).append(" ").append(type).append("\n");
    }
    void sample(const std::string& value, const std::string& labels = {},
                std::string_view suffix = {}) {
        text_.append(name_).append(suffix);
        if (!labels.empty()) text_.append("{").append(labels).append("}");
        text_.append(" ").append(value).append("\n");
    }
    void single(std::string_view name, std::string_view type, std::string_view help,
                std::uint64_t value) {
        begin(name, type, help);
        sample(std::to_string(value));
    }
    std::string take() { return std::move(text_); }

   private:
    std::string name_;
    std::string text_;
};

}  // namespace

void Metrics::count_request(const std::string& route, const std::string& method, int status,
                            double seconds) {
    const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
    const std::lock_guard lock(mutex_);
    ++requests_[{route, method, status}];
    Histogram& histogram = durations_[route];
    ++histogram.buckets.at(static_cast<std::size_t>(bound - kBounds.begin()));
    histogram.sum += seconds;
}

std::string Metrics::text(const Gauges& gauges) const {
    Writer writer;
    const std::lock_guard lock(mutex_);
    writer.begin("requests_total", "counter", "Requests answered.");
    for (const auto& [key, number] : requests_) {
        const auto& [route, method, status] = key;
        writer.sample(std::to_string(number), "route=\"" + escaped(route) + "\",method=\"" +
                                                  escaped(method) + "\",status=\"" +
                                                  std::to_string(status) + "\"");
    }
    writer.begin("request_duration_seconds", "histogram", "Time from a request to its answer.");
    for (const auto& [route, histogram] : durations_) {
        const std::string label = "route=\"" + escaped(route) + "\"";
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < kBounds.size(); ++i) {
            sum += histogram.buckets.at(i);
            writer.sample(std::to_string(sum), label + ",le=\"" + number_text(kBounds.at(i)) + "\"",
                          "_bucket");
        }
        sum += histogram.buckets.back();
        writer.sample(std::to_string(sum), label + ",le=\"+Inf\"", "_bucket");
        writer.sample(number_text(histogram.sum), label, "_sum");
        writer.sample(std::to_string(sum), label, "_count");
    }
    writer.single("http_connections", "gauge", "Open HTTP connections.", gauges.http_connections);
    writer.single("database_connections", "gauge", "Open connections to the database.",
                  gauges.database_connections);
    writer.single("database_connections_in_use", "gauge", "Connections in use by a request.",
                  gauges.database_connections_in_use);
    writer.single("tokens", "gauge", "Valid tokens.", gauges.tokens);
    writer.single("failed_logins_total", "counter", "Logins rejected by the database.",
                  failed_logins_);
    writer.single("throttled_logins_total", "counter",
                  "Logins rejected because of earlier failures.", throttled_logins_);
    writer.single("cancelled_statements_total", "counter",
                  "Statements cancelled because the client disconnected.", cancelled_statements_);
    return writer.take();
}

}  // namespace epe::gateway
