// The tables of an imgCIF file as text, and its arrays of pixels, through libcbf.
#pragma once

#include <cbflib/cbf.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kilobragg::io {

/// One row: column name to value; absent and "." values are empty.
using CifRow = std::map<std::string, std::string>;

/// One array of pixels: integers or reals.
struct CifArray {
  std::string id;
  std::size_t fast = 0, mid = 0, slow = 0;
  bool real = false;
  std::vector<std::int32_t> integers;
  std::vector<float> reals;
};

/// An imgCIF file read by libcbf. Throws core::Error naming the file.
class CifFile {
public:
  explicit CifFile(const std::string& path);
  ~CifFile();
  CifFile(const CifFile&) = delete;
  CifFile& operator=(const CifFile&) = delete;

  /// Rows of a category; none if it is not there. Binary values are left out.
  std::vector<CifRow> table(const std::string& category) const;
  /// Number of arrays in array_data.
  std::size_t array_count() const;
  /// One of them; with `pixels` false its extents alone.
  CifArray array(std::size_t row, bool pixels) const;

private:
  void check(int status, const std::string& what) const;
  std::string path_;
  cbf_handle handle_ = nullptr;
};

} // namespace kilobragg::io
