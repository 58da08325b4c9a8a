// A DestReceiver that appends the executor's rows to column builders: no tuple is ever copied.
#pragma once

extern "C" {
#include "postgres.h"

#include "executor/tuptable.h"
#include "tcop/dest.h"
}

#include <memory>
#include <vector>

#include "core/batch/batch_builder.h"
#include "pg/input/column_values_internal.h"
#include "pg/input/datum_reader_internal.h"
#include "pg/input/group_detector_internal.h"

namespace epe::pg {

/// Owned by a facade; PostgreSQL gets only the embedded DestReceiver, whose callbacks are leaves.
class BatchReceiver {
   public:
    /// Throws PgError. The schema must outlive the receiver.
    BatchReceiver(const Schema& schema, GroupKeys keys);
    ~BatchReceiver() = default;
    BatchReceiver(const BatchReceiver&) = delete;
    BatchReceiver& operator=(const BatchReceiver&) = delete;

    /// Sends rows to this builder from now on.
    void start(BatchBuilder& builder) noexcept;
    /// About as many rows will follow.
    void expect_rows(std::int64_t rows) noexcept { builder_->reserve(rows); }
    /// Rows since start(), omitted ones included.
    std::int64_t rows_seen() const noexcept { return rows_seen_; }
    /// Whether it stopped the executor after a row because the builder was full.
    bool is_stopped() const noexcept { return is_stopped_; }
    DestReceiver* destination() noexcept { return &link_.receiver; }
    /// Appends `count` rows, given by columns: one for each of the schema. Returns how many have
    /// been appended: fewer when the builder is full. A leaf.
    std::size_t receive_rows(const ColumnValues* columns, std::size_t count) noexcept;

   private:
    struct Link {
        DestReceiver receiver;  // first: PostgreSQL passes its address to the callbacks
        BatchReceiver* owner;
    };

    static void start_up(DestReceiver* receiver, int operation, TupleDesc descriptor) noexcept;
    static bool receive(TupleTableSlot* slot, DestReceiver* receiver) noexcept;
    void receive_row(const Datum* values, const bool* nulls) noexcept;
    void append_columns(const ColumnValues* columns, std::size_t count) noexcept;
    void append_column(DatumReader& reader, const ColumnValues& values, std::size_t count,
                       ColumnBuilder& builder) noexcept;
    void append_matrix(const ColumnValues* columns, std::size_t count) noexcept;
    void append(const Datum* values, const bool* nulls) noexcept;
    bool wants_more() noexcept;
    void append_matrix_row(const Datum* values, const bool* nulls) noexcept;
    bool is_incomplete(const Datum* values, const bool* nulls) const noexcept;

    Link link_{};
    const Schema* schema_;
    std::vector<DatumReader> readers_{};
    GroupKeys keys_;
    BatchBuilder* builder_ = nullptr;
    MemoryContext row_context_ = nullptr;
    bool uses_memory_ = false;
    std::vector<Datum> row_values_{};
    std::unique_ptr<bool[]> row_nulls_{};
    bool is_stopped_ = false;
    std::int64_t rows_seen_ = 0;
    std::int64_t rows_in_all_ = 0;
    int column_ = -1;  ///< the column being read, for the error context

    friend void describe_position(void* argument) noexcept;
};

}  // namespace epe::pg
