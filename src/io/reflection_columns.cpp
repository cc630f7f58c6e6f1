// Names and raw bytes of the column types of .refl files.
#include "reflection_columns.hpp"

#include "msgpack_codec.hpp"

#include <array>
#include <cstring>
#include <string>

namespace kilobragg::io {
namespace {

using models::Column;
using models::Shoebox;
using Shoeboxes = std::vector<Shoebox>;

/// In the order of the alternatives of models::Column.
constexpr std::array<std::string_view, 10> type_names{
    "bool",         "int",          "std::size_t",
    "double",       "vec2<double>", "vec3<double>",
    "mat3<double>", "int6",         "cctbx::miller::index<>",
    "Shoebox<>"};
static_assert(std::variant_size_v<Column> == type_names.size());

template <std::size_t index = 0>
std::optional<Column> make_alternative(std::size_t wanted) {
  if constexpr (index < std::variant_size_v<Column>) {
    if (index == wanted) return Column(std::in_place_index<index>);
    return make_alternative<index + 1>(wanted);
  } else {
    return std::nullopt;
  }
}

/// What stands before the pixels of each shoebox: panel, box, flag. Not aligned.
constexpr std::size_t shoebox_header = 4 + 24 + 1;
/// Kinds of pixels in a shoebox: none, with int32 masks, with uint8 masks (version 2 only).
enum ShoeboxFlag : std::uint8_t { no_pixels = 0, wide_mask = 1, narrow_mask = 2 };

/// Pixels in a box, or nothing if a side is negative or the product absurd.
std::optional<std::uint64_t> pixels_in(const models::Int6& box) {
  std::uint64_t count = 1;
  for (int axis = 0; axis < 3; ++axis) {
    const std::int64_t side = std::int64_t{box[2 * axis + 1]} - box[2 * axis];
    if (side < 0) return std::nullopt;
    if (count != 0 && static_cast<std::uint64_t>(side) > (std::uint64_t{1} << 40) / count)
      return std::nullopt;
    count *= static_cast<std::uint64_t>(side);
  }
  return count;
}

std::uint64_t raw_size(const Shoebox& shoebox) {
  return shoebox_header + 12 * std::uint64_t{shoebox.data.size()};
}

template <typename T>
void put(std::vector<std::byte>& out, const T* values, std::size_t count) {
  const auto bytes = std::as_bytes(std::span(values, count));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_shoebox(const Shoebox& s, std::vector<std::byte>& out) {
  const bool filled = !s.data.empty();
  const std::size_t expected = filled ? pixels_in(s.box).value_or(0) : 0;
  core::require(
      s.data.size() == expected && s.mask.size() == expected && s.background.size() == expected,
      "shoebox of {} values, {} mask codes and {} background values does not fill its box",
      s.data.size(), s.mask.size(), s.background.size());
  put(out, &s.panel, 1);
  put(out, s.box.data(), s.box.size());
  out.push_back(std::byte{filled ? wide_mask : no_pixels});
  put(out, s.data.data(), s.data.size());
  put(out, s.mask.data(), s.mask.size());
  put(out, s.background.data(), s.background.size());
}

/// Walks over the records of a shoebox column.
class ShoeboxReader {
public:
  ShoeboxReader(std::span<const std::byte> bytes, std::string_view where)
      : bytes_(bytes)
      , where_(where) {}

  Shoebox next() {
    Shoebox s;
    std::uint8_t flag = 0;
    copy(&s.panel, 1);
    copy(s.box.data(), s.box.size());
    copy(&flag, 1);
    core::require(flag <= narrow_mask, "{} is damaged (shoebox of unknown kind {})", where_, flag);
    if (flag == no_pixels) return s;
    const auto count = pixels_in(s.box);
    const std::uint64_t pixel_bytes = flag == wide_mask ? 12 : 9;
    core::require(count && *count <= bytes_.size() / pixel_bytes,
                  "{} is damaged (box of a shoebox larger than its pixels)", where_);
    s.data.resize(*count), s.mask.resize(*count), s.background.resize(*count);
    copy(s.data.data(), *count);
    if (flag == wide_mask) {
      copy(s.mask.data(), *count);
    } else {
      std::vector<std::uint8_t> narrow(*count);
      copy(narrow.data(), *count);
      s.mask.assign(narrow.begin(), narrow.end());
    }
    copy(s.background.data(), *count);
    return s;
  }
  bool at_end() const { return bytes_.empty(); }

private:
  template <typename T>
  void copy(T* to, std::size_t count) {
    const std::size_t size = count * sizeof(T);
    core::require(size <= bytes_.size(), "{} is damaged (it ends within a shoebox)", where_);
    if (size > 0) std::memcpy(to, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
  }
  std::span<const std::byte> bytes_;
  std::string_view where_;
};

void fill_shoeboxes(Shoeboxes& shoeboxes, std::size_t rows, std::span<const std::byte> bytes,
                    std::string_view where) {
  core::require(rows <= bytes.size() / shoebox_header,
                "{} is damaged ({} bytes cannot hold {} shoeboxes)", where, bytes.size(), rows);
  shoeboxes.reserve(rows);
  ShoeboxReader reader(bytes, where);
  for (std::size_t i = 0; i < rows; ++i) shoeboxes.push_back(reader.next());
  core::require(reader.at_end(), "{} is damaged (bytes are left after its shoeboxes)", where);
}

} // namespace

std::string_view type_name(const Column& column) { return type_names[column.index()]; }

std::optional<Column> column_of_type(std::string_view type) {
  for (std::size_t i = 0; i < type_names.size(); ++i)
    if (type_names[i] == type) return make_alternative(i);
  return std::nullopt;
}

std::size_t row_count(const Column& column) {
  return std::visit([](const auto& values) { return values.size(); }, column);
}

std::span<const std::byte> rows_in_place(const Column& column) {
  return std::visit(
      [](const auto& values) -> std::span<const std::byte> {
        if constexpr (std::is_same_v<std::decay_t<decltype(values)>, Shoeboxes>)
          return {};
        else
          return std::as_bytes(std::span(values));
      },
      column);
}

std::uint64_t raw_size(const Column& column) {
  const auto* shoeboxes = std::get_if<Shoeboxes>(&column);
  if (!shoeboxes) return rows_in_place(column).size();
  std::uint64_t size = 0;
  for (const Shoebox& s : *shoeboxes) size += raw_size(s);
  return size;
}

void check_column_size(std::string_view name, std::uint64_t bytes) {
  core::require(bytes <= largest_bin,
                "column '{}' has {} bytes, more than the 4 GiB - 1 that a .refl file can hold "
                "(write fewer images to one file)",
                name, bytes);
}

void append_raw(const Column& column, std::vector<std::byte>& out) {
  const auto rows = rows_in_place(column);
  out.insert(out.end(), rows.begin(), rows.end());
  if (const auto* shoeboxes = std::get_if<Shoeboxes>(&column))
    for (const Shoebox& s : *shoeboxes) append_shoebox(s, out);
}

void fill_column(Column& column, std::size_t rows, std::span<const std::byte> bytes,
                 std::string_view where) {
  std::visit(
      [&](auto& values) {
        using Values = std::decay_t<decltype(values)>;
        if constexpr (std::is_same_v<Values, Shoeboxes>) {
          fill_shoeboxes(values, rows, bytes, where);
        } else {
          constexpr std::size_t size = sizeof(typename Values::value_type);
          static_assert(std::is_trivially_copyable_v<typename Values::value_type>);
          core::require(bytes.size() % size == 0 && bytes.size() / size == rows,
                        "{} is damaged ({} bytes are not {} rows of {})", where, bytes.size(), rows,
                        size);
          values.resize(rows);
          if (rows > 0) std::memcpy(values.data(), bytes.data(), bytes.size());
        }
      },
      column);
}

} // namespace kilobragg::io
