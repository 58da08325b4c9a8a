// The SQL functions through which package oml transfers rows as columns: pyqsys.query_batches and
// pyqsys.batch_rows.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/pipeline/ports.h"
#include "core/request/request.h"
#include "engine/common/packed_batch.h"
#include "pg/boundary/function_call.h"
#include "pg/boundary/returned_series.h"
#include "pg/input/query_source.h"
#include "pg/output/result_target.h"
#include "pg/output/tuplestore_sink.h"

namespace {

using epe::Error;
using epe::pg::FunctionCall;

/// The rows of a query as packed batches of at most kMostRows rows and kMostBytes bytes; a batch
/// exceeds the bytes by its last row at most.
class QueryBatches final : public epe::pg::ByteSeries {
   public:
    explicit QueryBatches(const epe::Request& request)
        : source_(epe::pg::open_query_source(request, /* may_spool */ true)),
          builder_(source_->schema(), epe::BuildOptions{.most_bytes = kMostBytes}) {}

    bool advance() override {
        packed_.reset();
        if (source_->read(builder_, kMostRows) == 0) return false;
        batch_ = builder_.finish();
        packed_ = std::make_unique<epe::engine::PackedBatch>(batch_);
        return true;
    }
    std::size_t size() const noexcept override { return packed_->size(); }
    void write(std::byte* to) const noexcept override { packed_->write(to); }
    void close() override { source_->close(); }

   private:
    static constexpr std::int64_t kMostRows = 16384;
    static constexpr std::size_t kMostBytes = 1U << 20;

    std::unique_ptr<epe::InputSource> source_;
    epe::BatchBuilder builder_;
    epe::Batch batch_{};
    std::unique_ptr<epe::engine::PackedBatch> packed_{};
};

std::unique_ptr<epe::pg::ByteSeries> make_query_batches(const FunctionCall& call) {
    epe::Request request;
    request.function = epe::EvalFunction::kTable;
    request.input = epe::parse_input(call.text(0).value_or(""));
    request.controls.use_decimal = call.boolean(1).value_or(false);
    return std::make_unique<QueryBatches>(request);
}

epe::Batch unpack(const std::string& bytes) {
    try {
        return epe::engine::unpack_batch(bytes);
    } catch (const epe::engine::ProtocolError& error) {
        epe::ErrorReport report;
        report.sqlstate = "22P03";  // invalid_binary_representation
        report.message = "the value is not a batch of rows";
        report.detail = error.report().message;
        throw Error(std::move(report));
    }
}

/// Such texts are for Python; the conversions of results do not support them.
void refuse_unusual(const epe::Column& column) {
    if (column.unusual != nullptr)
        throw Error(epe::sqlstate::kUnsupported,
                    "cannot convert a batch with infinite or out-of-range dates to rows",
                    "Send the values of the column as texts.");
    for (const epe::Column& child : column.children) refuse_unusual(child);
}

}  // namespace

// (inp_nam text, use_decimal boolean), strict
EPE_FUNCTION(epe_query_batches) { epe::pg::return_series(call, make_query_batches); }

// (batch bytea), strict
EPE_FUNCTION(epe_batch_rows) {
    const auto target = epe::pg::ResultTarget::from_format(call, epe::OutputFormat{});
    epe::CallResult result;
    result.batch = unpack(call.bytes(0).value_or(""));
    const std::size_t wanted = target.columns().size();
    if (result.batch.columns.size() != wanted)
        throw Error(epe::sqlstate::kDatatypeMismatch,
                    "the batch has " + std::to_string(result.batch.columns.size()) +
                        " columns, the column list " + std::to_string(wanted));
    for (const epe::Column& column : result.batch.columns) refuse_unusual(column);
    epe::pg::TuplestoreSink sink(target);
    sink.add(std::move(result));
    sink.close();
}
