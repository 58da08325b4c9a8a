// Converts the rows of result batches to tuples, for a tuplestore or one at a time.
#include "pg/output/row_writer_internal.h"

#include <algorithm>

#include "pg/boundary/boundary.h"
#include "pg/boundary/encoding_internal.h"

extern "C" {
#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
}

namespace epe::pg {

namespace {

/// Values are released after this many rows, or fewer if rows are wide.
constexpr std::int64_t kRowsPerReset = 256;
constexpr std::int64_t kBytesPerReset = std::int64_t{1} << 18;

void describe_place(void* argument) {
    const auto* writer = static_cast<const RowWriter*>(argument);
    if (!writer->is_converting) return;
    const auto row = static_cast<long long>(writer->row);
    const char* name = writer->column == nullptr ? nullptr : writer->column->name;
    if (name == nullptr)
        errcontext("row %lld of the result", row);
    else
        errcontext("column \"%s\", row %lld of the result", name, row);
}

std::int64_t bytes_of(const Column& column) noexcept {
    auto bytes = static_cast<std::int64_t>(column.values.size() + column.offsets.size());
    for (const Column& child : column.children) bytes += bytes_of(child);
    if (!column.has_dictionary) return bytes;
    // Codes share their texts, but each row's datum has a copy of its own, at worst of the longest.
    const Column& texts = column.children.front();
    std::int64_t longest = 0;
    for (std::int64_t i = 0; i < texts.length && longest < kBytesPerReset; ++i)
        longest = std::max(longest, texts.bytes_length(i));
    return bytes + std::min(longest, kBytesPerReset) * column.length;
}

std::int64_t rows_per_reset(const Batch& batch) noexcept {
    std::int64_t bytes = 0;
    for (const Column& column : batch.columns) bytes += bytes_of(column);
    const std::int64_t width = bytes / std::max<std::int64_t>(batch.length, 1) + 1;
    return std::clamp<std::int64_t>(kBytesPerReset / width, 1, kRowsPerReset);
}

/// Finds or makes a conversion for each column of the batch. A batch usually has the same kinds as
/// the previous one, but the results of two calls may differ: integers here, floats there.
void prepare_columns(RowWriter* writer, const Batch& batch) noexcept {
    if (batch.columns.size() != static_cast<std::size_t>(writer->column_count))
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("result has %zu columns instead of %d", batch.columns.size(),
                               writer->column_count)));
    for (int i = 0; i < writer->column_count; ++i) {
        WriterColumn& column = writer->columns[i];
        column.source = &batch.columns[static_cast<std::size_t>(i)];
        Conversion* found = column.conversions;
        while (found != nullptr && !is_conversion_for(*found, *column.source)) found = found->next;
        if (found == nullptr) {
            found =
                make_conversion(*column.source, column.target, {column.name, writer->expressions});
            found->next = column.conversions;
            column.conversions = found;
        }
        column.conversion = found;
    }
}

void convert_row(RowWriter* writer, std::int64_t row) noexcept {
    const WriterColumn* const end = writer->columns + writer->column_count;
    for (const WriterColumn* column = writer->columns; column != end; ++column) {
        writer->column = column;
        writer->values[column->attribute] = convert_value(*column->conversion, *column->source, row,
                                                          &writer->nulls[column->attribute]);
    }
}

void check_row_domain(RowWriter* writer) noexcept {
    writer->column = nullptr;
    HeapTuple tuple = heap_form_tuple(writer->descriptor, writer->values, writer->nulls);
    domain_check(HeapTupleGetDatum(tuple), false, writer->row_domain, &writer->row_domain_cache,
                 writer->context);
}

/// Converts the next row, and releases earlier ones from time to time.
void advance_row(RowWriter* writer) noexcept {
    if (--writer->rows_to_reset <= 0) {
        writer->rows_to_reset = writer->reset_interval;
        MemoryContextReset(writer->row_context);
        CHECK_FOR_INTERRUPTS();
    }
    const std::int64_t row = writer->next_row++;
    writer->row = writer->rows.first_row + row + 1;
    writer->is_converting = true;
    convert_row(writer, row);
    if (OidIsValid(writer->row_domain)) check_row_domain(writer);
    writer->is_converting = false;
}

/// Names are UTF-8 and belong to the target.
struct ColumnPlan {
    const char* name;
    TargetColumn target;
};

RowWriter* allocate_writer(TupleDesc descriptor, int column_count, MemoryContext parent) noexcept {
    MemoryContext context =
        AllocSetContextCreate(parent, "oml_epe row writer", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    auto* writer = static_cast<RowWriter*>(palloc(sizeof(RowWriter)));
    *writer = RowWriter{};
    writer->context = context;
    writer->expressions = CreateStandaloneExprContext();
    writer->row_context = writer->expressions->ecxt_per_tuple_memory;
    writer->descriptor = descriptor;
    writer->column_count = column_count;
    writer->columns = static_cast<WriterColumn*>(
        palloc(sizeof(WriterColumn) * static_cast<std::size_t>(column_count)));
    const auto attributes = static_cast<std::size_t>(descriptor->natts);
    writer->values = static_cast<Datum*>(palloc0(sizeof(Datum) * attributes));
    writer->nulls = static_cast<bool*>(palloc(sizeof(bool) * attributes));
    std::fill_n(writer->nulls, attributes, true);  // dropped attributes stay NULL
    MemoryContextSwitchTo(caller);
    return writer;
}

void plan_column(RowWriter* writer, int index, const ColumnPlan& plan) noexcept {
    WriterColumn column{};
    column.attribute = plan.target.attribute;
    column.target = {plan.target.mapped_type, plan.target.mapped_modifier, plan.target.type,
                     plan.target.modifier};
    if (plan.name != nullptr) {
        MemoryContext caller = MemoryContextSwitchTo(writer->context);
        std::size_t size = std::strlen(plan.name);
        const char* name = from_utf8(plan.name, &size);
        column.name = pnstrdup(name, size);
        MemoryContextSwitchTo(caller);
    }
    writer->columns[index] = column;
}

}  // namespace

RowWriter* make_row_writer(const ResultTarget& target) {
    TupleDesc descriptor = target.descriptor();
    const int count = static_cast<int>(target.columns().size());
    // Not the current context, which a cursor that the call holds open may own.
    MemoryContext parent = target.call_info()->econtext->ecxt_per_tuple_memory;
    RowWriter* writer =
        guarded([=]() noexcept { return allocate_writer(descriptor, count, parent); });
    writer->row_domain = target.row_domain();
    for (int i = 0; i < count; ++i) {
        const auto index = static_cast<std::size_t>(i);
        const ColumnPlan plan{target.shape().is_scalar ? nullptr
                                                       : target.shape().columns[index].name.c_str(),
                              target.columns()[index]};
        guarded([=]() noexcept { plan_column(writer, i, plan); });
    }
    return writer;
}

void begin_rows(RowWriter* writer, const RowsToWrite& rows) noexcept {
    MemoryContext caller = MemoryContextSwitchTo(writer->context);
    prepare_columns(writer, *rows.batch);
    MemoryContextReset(writer->row_context);
    writer->rows = rows;
    writer->next_row = 0;
    writer->reset_interval = writer->rows_to_reset = rows_per_reset(*rows.batch);
    writer->is_converting = false;
    MemoryContextSwitchTo(caller);
}

bool next_row(RowWriter* writer) noexcept {
    if (writer->rows.batch == nullptr || writer->next_row == writer->rows.batch->length)
        return false;
    MemoryContext caller = MemoryContextSwitchTo(writer->row_context);
    ErrorContextCallback place{error_context_stack, describe_place, writer};
    error_context_stack = &place;
    advance_row(writer);
    error_context_stack = place.previous;
    MemoryContextSwitchTo(caller);
    return true;
}

void write_rows(RowWriter* writer, const RowsToWrite& rows, Tuplestorestate* store) noexcept {
    begin_rows(writer, rows);
    MemoryContext caller = MemoryContextSwitchTo(writer->row_context);
    ErrorContextCallback place{error_context_stack, describe_place, writer};
    error_context_stack = &place;
    while (writer->next_row < rows.batch->length) {
        advance_row(writer);
        tuplestore_putvalues(store, writer->descriptor, writer->values, writer->nulls);
    }
    MemoryContextReset(writer->row_context);
    error_context_stack = place.previous;
    writer->rows = RowsToWrite{};
    MemoryContextSwitchTo(caller);
}

void free_row_writer(RowWriter* writer) noexcept {
    FreeExprContext(writer->expressions, true);
    MemoryContextDelete(writer->context);
}

}  // namespace epe::pg
