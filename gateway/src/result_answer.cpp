#include "result_answer.h"

#include <httplib.h>

#include "api_error.h"
#include "graphics.h"
#include "json_stream.h"
#include "log.h"
#include "options.h"
#include "table_result.h"
#include "typed_stream.h"

namespace epe::gateway {
namespace {

/// Maximum size of data that must be held in memory as a whole: a row with typed columns, figures,
/// tables made from JSON, and responses to clients without chunked encoding.
constexpr std::size_t kMostHeld = std::size_t{16} << 20;

void limit_to_held(Exchange& exchange, Lease& lease) {
    const std::size_t most = options_of(exchange).max_result;
    if (most > 0 && most <= kMostHeld) return;
    lease.query("SELECT pg_catalog.set_config('oml_epe.output_bytes', $1, false)",
                {std::to_string(kMostHeld)}, &exchange.watch);
}

std::string whole_json(Exchange& exchange, Lease& lease, const ResultQuery& query) {
    RowStream rows = lease.last_rows(json_query(query.call("JSON")), &exchange.watch);
    std::string text;
    while (const auto row = rows.next()) text += row->value(0, 0);
    return text.empty() ? "null" : text;
}

/// The API's representation of OUT_FMT 'PNG'.
std::string whole_figures(Exchange& exchange, Lease& lease, const ResultQuery& query) {
    const SqlCall call = query.call("PNG");
    RowStream rows = lease.last_rows(
        {std::string("SELECT ") + kFigureColumns + " FROM " + call.function + " AS " + kFigureList,
         call.parameters, /* is_binary */ true},
        &exchange.watch);
    std::vector<Figure> figures;
    while (const auto row = rows.next()) figures.push_back(figure_of(*row));
    return graphics_result(figures, query.kind);
}

void answer_text(Exchange& exchange, MediaType type, std::string text) {
    exchange.response.status = 200;
    exchange.response.body = std::move(text);
    exchange.response.set_header("Content-Type", media_type_name(type));
}

void answer_pieces(Exchange& exchange, std::unique_ptr<PieceStream> pieces, MediaType type) {
    std::string start = pieces->next();
    if (pieces->is_done()) {
        answer_text(exchange, type, std::move(start));
        return;
    }
    exchange.response.status = 200;
    // shared_ptr: the content provider is a std::function, which must be copyable.
    const auto stream = std::shared_ptr<PieceStream>(std::move(pieces));
    const auto first = std::make_shared<std::string>(std::move(start));
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
                // The status has already been sent: only a missing end tells the client of the
                // error.
                log_event(LogLevel::kError, "answer_cut_off", {{"error", error.what()}});
                return false;
            }
        });
}

std::string table_of(const std::string& text, RunKind kind, MediaType type) {
    const TableResult table(parse_json(text, "the result"), kind);
    const auto writer = make_table_writer(type, table.columns());
    return writer->begin() + writer->write(table) + writer->end();
}

/// The text that follows "result".
std::string end_of(const ResultQuery& query) {
    if (!query.comments) return "}";
    return R"(,"comments":)" + to_text(Json(*query.comments)) + "}";
}

}  // namespace

MediaType media_type_of(const Exchange& exchange, const ResultQuery& query) {
    const MediaType type = choose_media_type(exchange.request.get_header_value("Accept"));
    if (type == MediaType::kJson && query.output_format)
        throw ApiError(400, "\"outputFormat\" is only for responses in text/csv or "
                            "application/vnd.apache.arrow.stream; request one by header Accept");
    if (type != MediaType::kJson && query.wants_graphics)
        throw ApiError(400, "figures are available as application/json only");
    return type;
}

void answer_with_result(Exchange& exchange, std::unique_ptr<Lease> lease, const ResultQuery& query,
                        MediaType type) {
    if (query.output_format) {
        limit_to_held(exchange, *lease);  // limits each row
        answer_pieces(exchange,
                      std::make_unique<TypedStream>(std::move(lease), exchange.request,
                                                    query.call(query.output_format),
                                                    *query.output_format, type),
                      type);
        return;
    }
    const bool is_table = type != MediaType::kJson;
    const bool takes_chunks = exchange.request.version != "HTTP/1.0";
    if (!query.wants_graphics && !is_table && takes_chunks) {
        answer_pieces(exchange,
                      std::make_unique<JsonStream>(std::move(lease), exchange.request,
                                                   query.call("JSON"), end_of(query)),
                      type);
        return;
    }
    limit_to_held(exchange, *lease);
    const std::string text = query.wants_graphics ? whole_figures(exchange, *lease, query)
                                                  : whole_json(exchange, *lease, query);
    answer_text(exchange, type,
                is_table ? table_of(text, query.kind, type)
                         : R"({"result":)" + text + end_of(query));
}

}  // namespace epe::gateway
