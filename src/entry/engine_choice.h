// Which engine a request takes: the backend's own, or processes, and with which limits.
#pragma once

#include <memory>

#include "core/ports.h"
#include "engine/engine_options.h"

namespace epe {

/// The settings of the session, for the current role. `environment` is a name; "" is the server's
/// Python. Throws Error 42704 for an unknown environment.
engine::EngineOptions engine_options(const std::string& environment);

/// The engine for a script, `is_trusted` together with its arguments. Trusted ones run in the
/// backend, unless the request asks for several engines or another environment, or the setting
/// oml_epe.engine says 'process'; others always in processes (DESIGN section 3). `host` and
/// `waiter` must outlive it.
std::unique_ptr<Engine> choose_engine(const Request& request, bool is_trusted, Host& host,
                                      Waiter& waiter);

}  // namespace epe
