// Results with figures: what OUT_FMT 'PNG' returns, as the API shows it (compatibility.md,
// REST-24).
#pragma once

#include <string>
#include <vector>

#include "database.h"
#include "run_request.h"

namespace epe::gateway {

struct Figure {
    std::string name{};   ///< of the chunk, group or index; empty for a lone call
    Parameter id{};       ///< number in its call; null where the call drew nothing
    std::string value{};  ///< what the call returned, JSON text
    Parameter title{};
    Parameter image{};  ///< PNG in base64, without line ends
};

/// What to select of a call with OUT_FMT 'PNG' for figure_of(): the columns, and the AS list. Texts
/// are bytes in UTF-8, whatever the session's encoding is by then.
extern const char* const kFigureColumns;
extern const char* const kFigureList;
Figure figure_of(const QueryResult& row);

/// "result": an array of figures, or for row, group and index an object of such arrays by chunk,
/// group or index. JSON text.
std::string graphics_result(const std::vector<Figure>& figures, RunKind kind);

}  // namespace epe::gateway
