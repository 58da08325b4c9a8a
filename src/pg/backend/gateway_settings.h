// The settings of the REST gateway that the server starts.
#pragma once

#include <string>
#include <vector>

namespace epe::pg {

/// The gateway's part of define_settings(). A leaf.
void define_gateway_settings() noexcept;

/// The program and its arguments from the current settings; empty: no gateway.
std::vector<std::string> gateway_command();

}  // namespace epe::pg
