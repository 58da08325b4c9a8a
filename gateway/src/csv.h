// Tables as CSV (RFC 4180; lines end with LF, as in PostgreSQL's COPY).
#pragma once

#include "table_writer.h"

namespace epe::gateway {

/// NULL is an empty field, an empty text "". Booleans are true and false.
class CsvWriter final : public TableWriter {
   public:
    explicit CsvWriter(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}
    std::string begin() override;
    std::string write(const TableRows& rows) override;
    std::string end() override { return {}; }

   private:
    std::vector<TableColumn> columns_;
};

}  // namespace epe::gateway
