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

/// Hides the open figures of an outer script while a nested script runs.
class OwnFigures {
   public:
    explicit OwnFigures(bool is_nested);
    ~OwnFigures();
    OwnFigures(const OwnFigures&) = delete;
    OwnFigures& operator=(const OwnFigures&) = delete;

   private:
    Ref registry_{};  // class Gcf of matplotlib, whose attribute figs holds them
    Ref outer_{};
};

}  // namespace epe::py
