// A DestReceiver that appends the executor's rows to column builders.
#include "pg/input/batch_receiver_internal.h"

#include <limits>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"

extern "C" {
#include "miscadmin.h"
#include "utils/memutils.h"
}

namespace epe::pg {

/// Adds the value that was being read to the context of a conversion error.
void describe_position(void* argument) noexcept {
    const auto* receiver = static_cast<const BatchReceiver*>(argument);
    if (receiver->column_ < 0) return;
    const Field& field = (*receiver->schema_)[static_cast<std::size_t>(receiver->column_)];
    errcontext("column \"%s\", row %lld of the input", to_message(pstrdup(field.name.c_str())),
               static_cast<long long>(receiver->rows_in_all_));
}

namespace {

// The executor calls this again for every batch fetched from a portal: it must be a no-op.
void shut_down(DestReceiver*) {}
void destroy(DestReceiver*) {}

}  // namespace

BatchReceiver::BatchReceiver(const Schema& schema, GroupKeys keys)
    : schema_(&schema), keys_(std::move(keys)) {
    link_.receiver.receiveSlot = receive;
    link_.receiver.rStartup = start_up;
    link_.receiver.rShutdown = shut_down;
    link_.receiver.rDestroy = destroy;
    link_.receiver.mydest = DestNone;
    link_.owner = this;
    readers_.reserve(schema.size());
    uses_memory_ = !keys_.empty();
    for (const Field& field : schema) {
        readers_.push_back(make_datum_reader(field));
        uses_memory_ = uses_memory_ || readers_.back().uses_memory;
    }
    row_values_.resize(schema.size());
    row_nulls_ = std::make_unique<bool[]>(schema.size());
    row_context_ = guarded([]() noexcept {
        return AllocSetContextCreate(CurrentMemoryContext, "oml_epe input row",
                                     ALLOCSET_DEFAULT_SIZES);
    });
}

/// The readers were made for the columns at the time of analysis. If a script alters the table
/// before it reads the first batch, the query is analysed again.
void BatchReceiver::start_up(DestReceiver* destination, int, TupleDesc descriptor) noexcept {
    const Schema& schema = *reinterpret_cast<Link*>(destination)->owner->schema_;
    bool is_same = static_cast<std::size_t>(descriptor->natts) == schema.size();
    for (std::size_t i = 0; is_same && i < schema.size(); ++i)
        is_same = TupleDescAttr(descriptor, static_cast<int>(i))->atttypid == schema[i].type_oid;
    if (!is_same)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("the columns of a query changed before it was read")));
}

void BatchReceiver::start(BatchBuilder& builder) noexcept {
    builder_ = &builder;
    rows_seen_ = 0;
    is_stopped_ = false;
}

bool BatchReceiver::receive(TupleTableSlot* slot, DestReceiver* destination) noexcept {
    BatchReceiver& self = *reinterpret_cast<Link*>(destination)->owner;
    slot_getallattrs(slot);
    self.receive_row(slot->tts_values, slot->tts_isnull);
    return self.wants_more();
}

void BatchReceiver::receive_row(const Datum* values, const bool* nulls) noexcept {
    ++rows_seen_;
    ++rows_in_all_;
    if (!uses_memory_ && !builder_->options().omit_incomplete) {
        append(values, nulls);
        return;
    }
    MemoryContext caller = MemoryContextSwitchTo(row_context_);
    if (!builder_->options().omit_incomplete || !is_incomplete(values, nulls)) {
        ErrorContextCallback position{error_context_stack, describe_position, this};
        error_context_stack = &position;
        append(values, nulls);
        error_context_stack = position.previous;
    }
    MemoryContextSwitchTo(caller);
    MemoryContextReset(row_context_);
}

/// Rows that may be large are appended one by one, so that the builder's limit is kept.
std::size_t BatchReceiver::receive_rows(const ColumnValues* columns, std::size_t count) noexcept {
    const BuildOptions& options = builder_->options();
    if (keys_.empty() && !options.omit_incomplete && (!uses_memory_ || options.most_bytes == 0)) {
        append_columns(columns, count);
        (void)wants_more();
        return count;
    }
    for (std::size_t row = 0; row < count; ++row) {
        for (std::size_t i = 0; i < readers_.size(); ++i) {
            row_values_[i] = columns[i].values[row];
            row_nulls_[i] = columns[i].is_null(row);
        }
        receive_row(row_values_.data(), row_nulls_.get());
        if (!wants_more()) return row + 1;
        CHECK_FOR_INTERRUPTS();
    }
    return count;
}

void BatchReceiver::append_columns(const ColumnValues* columns, std::size_t count) noexcept {
    const std::int64_t rows_before = rows_in_all_;
    rows_seen_ += static_cast<std::int64_t>(count);
    builder_->end_rows(static_cast<std::int64_t>(count));
    if (builder_->options().as_matrix) {
        append_matrix(columns, count);
    } else {
        MemoryContext caller = MemoryContextSwitchTo(row_context_);
        ErrorContextCallback position{error_context_stack, describe_position, this};
        error_context_stack = &position;
        for (std::size_t i = 0; i < readers_.size(); ++i) {
            column_ = static_cast<int>(i);
            rows_in_all_ = rows_before;
            append_column(readers_[i], columns[i], count, builder_->column(i));
        }
        error_context_stack = position.previous;
        MemoryContextSwitchTo(caller);
    }
    rows_in_all_ = rows_before + static_cast<std::int64_t>(count);
}

void BatchReceiver::append_column(DatumReader& reader, const ColumnValues& values,
                                  std::size_t count, ColumnBuilder& builder) noexcept {
    std::size_t row = 0;
    while (true) {
        const std::size_t plain =
            reader.append_plain_values(values.after(row), count - row, builder);
        row += plain;
        rows_in_all_ += static_cast<std::int64_t>(plain);
        if (row == count) return;
        ++rows_in_all_;
        reader.append_value(values.values[row], values.is_null(row), builder);
        MemoryContextReset(row_context_);
        CHECK_FOR_INTERRUPTS();
        ++row;
    }
}

/// Numeric values use the row's memory.
void BatchReceiver::append_matrix(const ColumnValues* columns, std::size_t count) noexcept {
    const std::size_t width = readers_.size();
    double* rows = builder_->matrix_rows(count);
    if (rows == nullptr) DatumReader::raise_out_of_memory();
    MemoryContext caller = MemoryContextSwitchTo(row_context_);
    for (std::size_t i = 0; i < width; ++i)
        readers_[i].convert_to_doubles(columns[i], count, rows + i, width);
    if (uses_memory_) MemoryContextReset(row_context_);
    MemoryContextSwitchTo(caller);
}

/// False ends the executor's run after this row; QuerySource continues with the next one.
bool BatchReceiver::wants_more() noexcept {
    is_stopped_ = builder_->is_full();
    return !is_stopped_;
}

bool BatchReceiver::is_incomplete(const Datum* values, const bool* nulls) const noexcept {
    for (std::size_t i = 0; i < readers_.size(); ++i) {
        if (nulls[i]) return true;
        if (readers_[i].is_nan != nullptr && readers_[i].is_nan(values[i])) return true;
    }
    return false;
}

void BatchReceiver::append(const Datum* values, const bool* nulls) noexcept {
    column_ = -1;
    if (!keys_.empty() && !keys_.start_group_if_new(values, nulls, *builder_))
        DatumReader::raise_out_of_memory();
    if (builder_->options().as_matrix) {
        append_matrix_row(values, nulls);
    } else {
        for (std::size_t i = 0; i < readers_.size(); ++i) {
            column_ = static_cast<int>(i);
            readers_[i].append_value(values[i], nulls[i], builder_->column(i));
        }
    }
    builder_->end_row();
}

void BatchReceiver::append_matrix_row(const Datum* values, const bool* nulls) noexcept {
    double* row = builder_->matrix_row();
    if (row == nullptr) DatumReader::raise_out_of_memory();
    for (std::size_t i = 0; i < readers_.size(); ++i) {
        column_ = static_cast<int>(i);
        row[i] =
            nulls[i] ? std::numeric_limits<double>::quiet_NaN() : readers_[i].to_double(values[i]);
    }
}

}  // namespace epe::pg
