// A plain reader of MTZ columns for tests, independent of the library under test.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace kilobragg::testing {

struct PlainMtz {
  std::vector<std::string> labels;
  std::vector<std::vector<float>> columns;

  const std::vector<float>& column(const std::string& label) const {
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (labels[i] == label) return columns[i];
    throw std::runtime_error("no MTZ column " + label);
  }
};

/// Little-endian files only.
inline PlainMtz read_plain_mtz(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (bytes.size() < 80) throw std::runtime_error("no MTZ: " + path);
  std::int32_t word = 0;
  std::memcpy(&word, bytes.data() + 4, 4);
  PlainMtz mtz;
  for (std::size_t at = static_cast<std::size_t>(word - 1) * 4; at + 80 <= bytes.size(); at += 80) {
    std::istringstream record(bytes.substr(at, 80));
    std::string key, label;
    record >> key >> label;
    if (key == "COLUMN") mtz.labels.push_back(label);
  }
  const std::size_t columns = mtz.labels.size();
  const std::size_t rows = (static_cast<std::size_t>(word) - 21) / columns;
  mtz.columns.assign(columns, std::vector<float>(rows));
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c)
      std::memcpy(&mtz.columns[c][r], bytes.data() + 80 + 4 * (r * columns + c), 4);
  return mtz;
}

} // namespace kilobragg::testing
