// A DestReceiver that appends the executor's rows to column builders.
#include "pg/input/batch_receiver_internal.h"

#include <limits>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"

extern "C" {
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
    ++self.rows_seen_;
    ++self.rows_in_all_;
    if (!self.uses_memory_ && !self.builder_->options().omit_incomplete) {
        self.append(slot->tts_values, slot->tts_isnull);
        return self.wants_more();
    }
    MemoryContext caller = MemoryContextSwitchTo(self.row_context_);
    if (!self.builder_->options().omit_incomplete ||
        !self.is_incomplete(slot->tts_values, slot->tts_isnull)) {
        ErrorContextCallback position{error_context_stack, describe_position, &self};
        error_context_stack = &position;
        self.append(slot->tts_values, slot->tts_isnull);
        error_context_stack = position.previous;
    }
    MemoryContextSwitchTo(caller);
    MemoryContextReset(self.row_context_);
    return self.wants_more();
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
