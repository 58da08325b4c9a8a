// The required shape of a call's result, and the tuples of the SQL call that it becomes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/pipeline/output_shape.h"

struct ReturnSetInfo;
struct TupleDescData;

namespace epe::pg {

class FunctionCall;

/// The attribute of a column of the output shape, and the types of its conversion.
struct TargetColumn {
    int attribute = 0;              ///< of the descriptor, from 0
    std::uint32_t mapped_type = 0;  ///< first an explicit cast to this ...
    std::int32_t mapped_modifier = -1;
    std::uint32_t type = 0;  ///< ... then an assignment cast to this
    std::int32_t modifier = -1;
};

/// The declared result of a set-returning SQL function (compatibility.md, SQL-3). Its shape follows
/// the column map or the prototype if there is one, else the AS list or the row type; types are
/// PostgreSQL's. Must not outlive the SQL call.
class ResultTarget {
   public:
    /// The variant with OUT_FMT: the result is a SETOF record with an AS list. Throws Error 0A000
    /// without one, 42804 when it does not fit (with the correct list as hint), 42704 for a bad
    /// type in a map, 42P01 for an unknown prototype, 42501 without the right to read it.
    static ResultTarget from_format(const FunctionCall& call, const OutputFormat& format);
    /// The variant with OUT_ROW: the result is a set of the type of that argument. The extension's
    /// own pyq_json, pyq_xml and pyq_png mean those formats.
    static ResultTarget from_row_type(const FunctionCall& call, int row_argument);

    /// The one row that a submission returns, in the columns that the caller declared: the column
    /// "value", or the only one of a type for texts; the others are NULL. Throws Error 42804 when
    /// there is none.
    static ResultTarget for_value(const FunctionCall& call);

    const OutputShape& shape() const noexcept { return shape_; }
    /// Matches the columns of results by position and ignores their names.
    void match_by_position() noexcept { shape_.by_position = true; }
    /// One for each column of the shape.
    const std::vector<TargetColumn>& columns() const noexcept { return columns_; }
    /// PostgreSQL's description of the call and of its result: borrowed.
    ReturnSetInfo* call_info() const noexcept { return info_; }
    TupleDescData* descriptor() const noexcept { return descriptor_; }
    /// A domain over the row type that every row must be checked against; 0 when there is none.
    std::uint32_t row_domain() const noexcept { return row_domain_; }

   private:
    explicit ResultTarget(const FunctionCall& call);
    void require_as_list(const Schema& wanted) const;
    void take_fixed(OutputFormat::Form form);
    void take_result(Schema result);
    void take_matched(Schema wanted);

    OutputShape shape_{};
    std::vector<TargetColumn> columns_{};
    ReturnSetInfo* info_ = nullptr;
    TupleDescData* descriptor_ = nullptr;
    std::uint32_t row_domain_ = 0;
};

/// The name of a format with fixed columns, as in OUT_FMT; "pickle" for the others.
const char* form_name(OutputFormat::Form form) noexcept;

/// The shape of a result that is stored and replayed later.
OutputShape stored_shape();

}  // namespace epe::pg
