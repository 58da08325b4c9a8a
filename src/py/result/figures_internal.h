// Figures of matplotlib that a script has made.
#pragma once

#include "py/base/ref_internal.h"

namespace epe::py {

/// The open figures and the figures in a result, as a list of (title or None, PNG).
Ref captured_figures(const Ref& result);
/// The result, or None if it is a figure.
Ref without_drawing(const Ref& result);

/// Closes the figures that a script left open. No-op unless pyplot has been imported.
void close_figures();

/// The open figures of one request. While it runs, those of other requests are hidden.
class OwnFigures {
   public:
    OwnFigures() = default;
    OwnFigures(const OwnFigures&) = delete;
    OwnFigures& operator=(const OwnFigures&) = delete;

    /// At the start of a step: shows those that it has kept, if any. Throws ScriptError.
    void take_up(bool is_nested);
    /// At the end of a step: keeps its figures if the call continues, and shows those that
    /// take_up() has hidden.
    void put_aside(bool continues) noexcept;

   private:
    Ref registry_{};  // class Gcf of matplotlib, whose attribute figs holds the open figures
    Ref outer_{};
    Ref kept_{};
};

}  // namespace epe::py
