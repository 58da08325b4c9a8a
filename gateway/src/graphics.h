// Results with figures: the API's representation of OUT_FMT 'PNG' (compatibility.md, REST-24).
#pragma once

#include <string>
#include <vector>

#include "database.h"
#include "run_request.h"

namespace epe::gateway {

struct Figure {
    std::string name{};   ///< chunk, group or index; empty for a single call
    Parameter id{};       ///< figure number; null if the call drew none
    std::string value{};  ///< returned value, as JSON text
    Parameter title{};
    Parameter image{};  ///< PNG in base64, without line breaks
};

/// The column list and the AS list to select from a call with OUT_FMT 'PNG' for figure_of(). Texts
/// are bytes in UTF-8, independent of the session's client encoding.
extern const char* const kFigureColumns;
extern const char* const kFigureList;
Figure figure_of(const QueryResult& row);

/// "result": an array of figures, or for row, group and index an object of such arrays by chunk,
/// group or index. JSON text.
std::string graphics_result(const std::vector<Figure>& figures, RunKind kind);

}  // namespace epe::gateway
