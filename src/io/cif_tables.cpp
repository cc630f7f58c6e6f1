// Reads imgCIF tables and arrays through libcbf.
#include "cif_tables.hpp"

#include "pixel_source.hpp"

#include "kilobragg/core/error.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace kilobragg::io {
namespace {

StoredType stored_type(bool real, std::size_t element, bool is_signed) {
  if (real) return element == 8 ? StoredType::f64 : StoredType::f32;
  switch (element) {
  case 1:
    return is_signed ? StoredType::i8 : StoredType::u8;
  case 2:
    return is_signed ? StoredType::i16 : StoredType::u16;
  case 4:
    return is_signed ? StoredType::i32 : StoredType::u32;
  default:
    core::fail("integers of {} bytes are not known in CBF files", element);
  }
}

} // namespace

CifFile::CifFile(const std::string& path)
    : path_(path) {
  FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) core::fail("cannot open {} ({})", path, std::strerror(errno));
  // libcbf owns the file from here on and closes it with the handle.
  const int made = cbf_make_handle(&handle_);
  if (made != 0) std::fclose(file);
  check(made, "be opened");
  cbf_set_cbf_logfile(handle_, nullptr); // errors are told by exceptions
  const int status = cbf_read_widefile(handle_, file, MSG_NODIGEST);
  if (status == 0) return;
  cbf_free_handle(handle_);
  core::fail("cannot read {} (libcbf: {}) is the file complete?", path, cbf_strerror(status));
}

CifFile::~CifFile() { cbf_free_handle(handle_); }

void CifFile::check(int status, const std::string& what) const {
  core::require(status == 0, "{} cannot {} (libcbf: {}) is the file complete?", path_, what,
                cbf_strerror(status));
}

std::vector<CifRow> CifFile::table(const std::string& category) const {
  std::vector<CifRow> rows;
  unsigned row_count = 0, column_count = 0;
  if (cbf_find_category(handle_, category.c_str()) != 0 ||
      cbf_count_rows(handle_, &row_count) != 0 || cbf_count_columns(handle_, &column_count) != 0)
    return rows;
  rows.resize(row_count);
  for (unsigned c = 0; c < column_count; ++c) {
    const char* name = nullptr;
    check(cbf_select_column(handle_, c), "be searched");
    check(cbf_column_name(handle_, &name), "be searched");
    for (unsigned r = 0; r < row_count; ++r) {
      const char* value = nullptr;
      check(cbf_select_row(handle_, r), "be searched");
      // Arrays have no text.
      if (cbf_get_value(handle_, &value) != 0 || !value || std::strcmp(value, ".") == 0 ||
          std::strcmp(value, "?") == 0)
        continue;
      rows[r][name] = value;
    }
  }
  return rows;
}

std::size_t CifFile::array_count() const {
  unsigned rows = 0;
  if (cbf_find_category(handle_, "array_data") != 0 || cbf_count_rows(handle_, &rows) != 0)
    return 0;
  return rows;
}

CifArray CifFile::array(std::size_t row, bool pixels) const {
  CifArray array;
  const char* id = nullptr;
  check(cbf_find_category(handle_, "array_data"), "give its pixels");
  if (cbf_find_column(handle_, "array_id") == 0 &&
      cbf_select_row(handle_, static_cast<unsigned>(row)) == 0 &&
      cbf_get_value(handle_, &id) == 0 && id)
    array.id = id;
  check(cbf_find_column(handle_, "data"), "give its pixels");
  check(cbf_select_row(handle_, static_cast<unsigned>(row)), "give its pixels");
  unsigned compression = 0;
  int binary_id = 0, is_signed = 0, is_unsigned = 0, lowest = 0, highest = 0, real = 0;
  std::size_t element = 0, count = 0, padding = 0, read = 0;
  const char* order = nullptr;
  check(cbf_get_arrayparameters_wdims(handle_, &compression, &binary_id, &element, &is_signed,
                                      &is_unsigned, &count, &lowest, &highest, &real, &order,
                                      &array.fast, &array.mid, &array.slow, &padding),
        "give the size of its pixels");
  array.mid = std::max<std::size_t>(array.mid, 1);
  array.slow = std::max<std::size_t>(array.slow, 1);
  array.real = real != 0;
  core::require(array.fast * array.mid * array.slow == count,
                "{} has an array of {} x {} x {} with {} pixels", path_, array.slow, array.mid,
                array.fast, count);
  constexpr std::size_t most_pixels = std::size_t{1} << 31;
  core::require(count <= most_pixels, "{} announces {} pixels", path_, count);
  if (!pixels) return array;
  // libcbf writes elements of the stored size whatever size it is asked for, so that is what it gets.
  std::vector<std::byte> stored(count * element);
  const StoredType type = stored_type(array.real, element, is_signed != 0);
  if (array.real) {
    check(cbf_get_realarray(handle_, &binary_id, stored.data(), element, count, &read),
          "give its pixels");
    array.reals.resize(count);
    convert_pixels(stored.data(), type, array.reals.data(), count);
  } else {
    check(
        cbf_get_integerarray(handle_, &binary_id, stored.data(), element, is_signed, count, &read),
        "give its pixels");
    array.integers.resize(count);
    convert_pixels(stored.data(), type, array.integers.data(), count);
  }
  core::require(read == count, "{} has {} pixels of {} (it is truncated)", path_, read, count);
  return array;
}

} // namespace kilobragg::io
