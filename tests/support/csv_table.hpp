// Reads the numeric CSV tables of the test data.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace kilobragg::testing {

/// Columns of numbers by name.
struct CsvTable {
  std::map<std::string, std::vector<double>> columns;
  std::size_t rows = 0;

  const std::vector<double>& operator[](const std::string& name) const { return columns.at(name); }
};

inline CsvTable read_csv(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot open " + path.string());
  std::string line, cell;
  std::getline(in, line);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  std::vector<std::string> names;
  for (std::istringstream header(line); std::getline(header, cell, ',');) names.push_back(cell);
  CsvTable table;
  while (std::getline(in, line)) {
    std::istringstream row(line);
    for (const std::string& name : names) {
      std::getline(row, cell, ',');
      table.columns[name].push_back(std::stod(cell));
    }
    ++table.rows;
  }
  return table;
}

} // namespace kilobragg::testing
