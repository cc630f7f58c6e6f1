// Rows of the tables in docs/validation.md as the tests measure them.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace kilobragg::testing {

/// Prints a row, and appends it to <table>.md in the folder that KILOBRAGG_VALIDATION_DIR names,
/// where scripts/validate.sh collects it.
inline void record(const std::string& table, const std::string& row) {
  std::printf("%s\n", row.c_str());
  if (const char* directory = std::getenv("KILOBRAGG_VALIDATION_DIR"))
    std::ofstream(std::filesystem::path(directory) / (table + ".md"), std::ios::app) << row << "\n";
}

} // namespace kilobragg::testing
