// Tables as an Arrow IPC stream.
#pragma once

#include "table_writer.h"

namespace epe::gateway {

class ArrowStreamWriter final : public TableWriter {
   public:
    explicit ArrowStreamWriter(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}
    std::string begin() override;
    /// One record batch.
    std::string write(const TableRows& rows) override;
    std::string end() override;

   private:
    std::vector<TableColumn> columns_;
};

}  // namespace epe::gateway
