// The settings of the REST gateway that the server starts.
#pragma once

#include <string>
#include <vector>

namespace epe::pg {

/// A part of define_settings(). A leaf.
void define_gateway_settings() noexcept;

/// The program and its arguments, as the settings are at the moment; empty: none is wanted.
std::vector<std::string> gateway_command();

}  // namespace epe::pg
