// CBF files for tests: miniCBF as Pilatus detectors write it, and tables of imgCIF for libcbf.
#pragma once

#include <cbflib/cbf.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace kilobragg::testing {

template <typename T>
void append_value(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Byte-offset compression, written down from its definition.
inline std::string byte_offset(const std::vector<std::int32_t>& pixels) {
  std::string bytes;
  std::int64_t last = 0;
  for (const std::int32_t pixel : pixels) {
    const std::int64_t step = pixel - last;
    if (std::abs(step) <= 127) {
      append_value(bytes, static_cast<std::int8_t>(step));
    } else {
      append_value(bytes, std::int8_t{-128});
      if (std::abs(step) <= 32767) {
        append_value(bytes, static_cast<std::int16_t>(step));
      } else {
        append_value(bytes, std::int16_t{-32768});
        if (std::abs(step) <= 2147483647) {
          append_value(bytes, static_cast<std::int32_t>(step));
        } else {
          append_value(bytes, std::numeric_limits<std::int32_t>::min());
          append_value(bytes, step);
        }
      }
    }
    last = pixel;
  }
  return bytes;
}

/// A miniCBF. `header`: lines as "# Wavelength 0.97950 A\r\n".
inline std::string mini_cbf(const std::string& header, int fast, int slow,
                            const std::vector<std::int32_t>& pixels) {
  const std::string binary = byte_offset(pixels);
  std::ostringstream text;
  text << "###CBF: VERSION 1.5, CBFlib v0.7.8 - PILATUS detectors\r\n\r\ndata_image\r\n\r\n"
          "_array_data.header_convention \"PILATUS_1.2\"\r\n_array_data.header_contents\r\n;\r\n"
       << header
       << ";\r\n\r\n_array_data.data\r\n;\r\n--CIF-BINARY-FORMAT-SECTION--\r\n"
          "Content-Type: application/octet-stream;\r\n     conversions=\"x-CBF_BYTE_OFFSET\"\r\n"
          "Content-Transfer-Encoding: BINARY\r\nX-Binary-Size: "
       << binary.size()
       << "\r\nX-Binary-ID: 1\r\nX-Binary-Element-Type: \"signed 32-bit integer\"\r\n"
          "X-Binary-Element-Byte-Order: LITTLE_ENDIAN\r\nX-Binary-Number-of-Elements: "
       << pixels.size() << "\r\nX-Binary-Size-Fastest-Dimension: " << fast
       << "\r\nX-Binary-Size-Second-Dimension: " << slow
       << "\r\nX-Binary-Size-Padding: 4095\r\n\r\n\x0c\x1a\x04\xd5";
  return text.str() + binary + std::string(64, '\0') +
         "\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n\r\n";
}

/// Tables for libcbf: the first line names the columns.
inline void add_table(cbf_handle cbf, const char* category, const std::vector<std::string>& lines) {
  ASSERT_EQ(cbf_new_category(cbf, category), 0);
  std::vector<std::string> names;
  for (std::size_t l = 0; l < lines.size(); ++l) {
    std::istringstream words(lines[l]);
    std::string word;
    if (l > 0) {
      ASSERT_EQ(cbf_new_row(cbf), 0);
    }
    for (std::size_t c = 0; words >> word; ++c) {
      if (l == 0) {
        ASSERT_EQ(cbf_new_column(cbf, word.c_str()), 0);
        names.push_back(word);
        continue;
      }
      ASSERT_EQ(cbf_find_column(cbf, names[c].c_str()), 0);
      ASSERT_EQ(cbf_set_value(cbf, word.c_str()), 0);
    }
  }
}

} // namespace kilobragg::testing
