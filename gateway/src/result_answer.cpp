#include "result_answer.h"

#include <httplib.h>

#include "api_error.h"
#include "graphics.h"
#include "log.h"
#include "table_result.h"
#include "typed_stream.h"

namespace epe::gateway {
namespace {

/// The text of OUT_FMT 'JSON' or, from 'PNG', what the API makes of it.
std::string result_text(Exchange& exchange, Lease& lease, const ResultQuery& query) {
    const SqlCall call = query.call(query.wants_graphics ? "PNG" : "JSON");
    if (query.wants_graphics) {
        const QueryResult rows =
            lease.last_query(std::string("SELECT ") + kFigureColumns + " FROM " + call.function +
                                 " AS " + kFigureList,
                             call.parameters, &exchange.watch);
        return graphics_result(figures_of(rows), query.kind);
    }
    const QueryResult rows =
        lease.last_query("SELECT value FROM " + call.function + " AS t(name text, value text)",
                         call.parameters, &exchange.watch);
    if (rows.rows() == 0 || rows.is_null(0, 0)) return "null";
    return std::string(rows.value(0, 0));
}

void answer_text(Exchange& exchange, MediaType type, std::string text) {
    exchange.response.status = 200;
    exchange.response.body = std::move(text);
    exchange.response.set_header("Content-Type", media_type_name(type));
}

void answer_typed(Exchange& exchange, std::unique_ptr<Lease> lease, const ResultQuery& query,
                  MediaType type) {
    // shared_ptr: the content provider is a std::function, which must be copyable.
    const auto stream =
        std::make_shared<TypedStream>(std::move(lease), exchange.request,
                                      query.call(query.output_format), *query.output_format, type);
    const auto first = std::make_shared<std::string>(stream->next());
    if (stream->is_done()) {
        answer_text(exchange, type, std::move(*first));
        return;
    }
    exchange.response.status = 200;
    exchange.response.set_chunked_content_provider(
        media_type_name(type), [stream, first](std::size_t, httplib::DataSink& sink) {
            try {
                const std::string piece =
                    first->empty() ? stream->next() : std::exchange(*first, {});
                if (!piece.empty() && !sink.write(piece.data(), piece.size())) return false;
                if (stream->is_done()) sink.done();
                return true;
            } catch (const ClientGone&) {
                return false;
            } catch (const std::exception& error) {
                // The status is out: only a missing end tells the client.
                log_event(LogLevel::kError, "answer_cut_off", {{"error", error.what()}});
                return false;
            }
        });
}

}  // namespace

MediaType media_type_of(const Exchange& exchange, const ResultQuery& query) {
    const MediaType type = choose_media_type(exchange.request.get_header_value("Accept"));
    if (type == MediaType::kJson && query.output_format)
        throw ApiError(400, "\"outputFormat\" is for answers in text/csv or "
                            "application/vnd.apache.arrow.stream: ask for one by header Accept");
    if (type != MediaType::kJson && query.wants_graphics)
        throw ApiError(400, "figures come in application/json only");
    return type;
}

void answer_with_result(Exchange& exchange, std::unique_ptr<Lease> lease, const ResultQuery& query,
                        MediaType type) {
    if (query.output_format) {
        answer_typed(exchange, std::move(lease), query, type);
        return;
    }
    const std::string text = result_text(exchange, *lease, query);
    if (type != MediaType::kJson) {
        const TableResult table(parse_json(text, "the result"), query.kind);
        const auto writer = make_table_writer(type, table.columns());
        answer_text(exchange, type, writer->begin() + writer->write(table) + writer->end());
        return;
    }
    std::string body = R"({"result":)" + text;
    if (query.comments) body += R"(,"comments":)" + to_text(Json(*query.comments));
    answer_text(exchange, type, std::move(body) + "}");
}

}  // namespace epe::gateway
