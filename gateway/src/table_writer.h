// Tabular output: columns, rows, and the writer interface of each format.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "accept.h"
#include "database.h"

namespace epe::gateway {

enum class ColumnKind : std::uint8_t {
    kBool,
    kInt16,
    kInt32,
    kInt64,
    kFloat32,
    kFloat64,
    kDecimal,
    kDate,
    kTimestamp,
    kTimestampUtc,
    kBinary,
    kUtf8,  ///< all other types, in PostgreSQL's text form
};

struct TableColumn {
    std::string name;
    ColumnKind kind = ColumnKind::kUtf8;
    int precision = 0;  ///< kDecimal only
    int scale = 0;
};

/// Some rows of a table. Values are in PostgreSQL's text form, dates and times in style ISO.
class TableRows {
   public:
    virtual ~TableRows() = default;
    virtual int rows() const = 0;
    virtual bool is_null(int row, int column) const = 0;
    virtual std::string_view value(int row, int column) const = 0;
};

class TableWriter {
   public:
    virtual ~TableWriter() = default;
    virtual std::string begin() = 0;
    /// Throws ApiError 400 for a value that the format cannot represent.
    virtual std::string write(const TableRows& rows) = 0;
    virtual std::string end() = 0;
};

/// `type` is not kJson.
std::unique_ptr<TableWriter> make_table_writer(MediaType type, std::vector<TableColumn> columns);

/// The rows of a result of SQL.
class QueryRows final : public TableRows {
   public:
    explicit QueryRows(const QueryResult& result) : result_(result) {}
    int rows() const override { return result_.rows(); }
    bool is_null(int row, int column) const override { return result_.is_null(row, column); }
    std::string_view value(int row, int column) const override {
        return result_.value(row, column);
    }

   private:
    const QueryResult& result_;
};

/// Maps PostgreSQL's types.
std::vector<TableColumn> columns_of(const QueryResult& result);

}  // namespace epe::gateway
