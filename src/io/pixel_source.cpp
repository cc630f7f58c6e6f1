// Reads frames of one HDF5 data set, by raw chunks where its filter is one of ours.
#include "pixel_source.hpp"

#include "reading_driver.hpp"

#include "kilobragg/io/bitshuffle.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

template <typename T>
constexpr StoredType stored_as() {
  if constexpr (std::is_same_v<T, std::uint16_t>) return StoredType::u16;
  if constexpr (std::is_same_v<T, std::int32_t>) return StoredType::i32;
  return StoredType::f32;
}

template <typename T>
hid_t memory_type() {
  if constexpr (std::is_same_v<T, std::uint16_t>) return H5T_NATIVE_UINT16;
  if constexpr (std::is_same_v<T, std::int32_t>) return H5T_NATIVE_INT32;
  return H5T_NATIVE_FLOAT;
}

std::string filter_name(hid_t plist, unsigned index, H5Z_filter_t& id) {
  char name[128] = "";
  unsigned flags = 0, config = 0;
  std::size_t options = 0;
  id = H5Pget_filter2(plist, index, &flags, &options, nullptr, sizeof name, name, &config);
  return name;
}

/// Every filter must be undone by this room or by a plugin that HDF5 finds.
void require_filters(hid_t plist, const std::string& name) {
  const int count = H5Pget_nfilters(plist);
  for (int i = 0; i < count; ++i) {
    H5Z_filter_t id = 0;
    const std::string what = filter_name(plist, static_cast<unsigned>(i), id);
    const bool alone = count == 1 && (id == bitshuffle_filter || id == lz4_filter);
    if (!alone && H5Zfilter_avail(id) <= 0)
      core::fail("cannot decompress {} (it uses HDF5 filter {}{}, for which there is no plugin) is "
                 "HDF5_PLUGIN_PATH set to the folder of that filter's plugin?",
                 name, id, what.empty() ? "" : ", " + what);
  }
}

} // namespace

PixelSource::PixelSource(PixelFormat format, std::function<Open()> opener, std::string name)
    : opener_(std::move(opener))
    , name_(std::move(name))
    , format_(std::move(format)) {}

hid_t PixelSource::dataset() {
  if (!open_.dataset) open_ = opener_();
  return open_.dataset.get();
}

PixelSource::PixelSource(Open open, std::string name)
    : open_(std::move(open))
    , name_(std::move(name)) {
  const std::vector<hsize_t> dims = hdf5::dimensions(dataset());
  format_.rank = static_cast<int>(dims.size());
  if (format_.rank < 2 || format_.rank > 4)
    core::fail(
        "{} holds no images (its shape is {}) frames x slow x fast or frames x panels x slow "
        "x fast is wanted; does the dataset option name the right one?",
        name_, hdf5::shape_text(dims));
  format_.frames = format_.rank == 2 ? 1 : static_cast<std::int64_t>(dims[0]);
  for (int i = format_.rank == 2 ? 0 : 1; i < format_.rank; ++i)
    format_.shape[static_cast<std::size_t>(i + 3 - format_.rank)] =
        dims[static_cast<std::size_t>(i)];
  core::require(pixels_in(format_.shape) > 0, "{} holds no pixels (its shape is {})", name_,
                hdf5::shape_text(dims));
  inspect_type();
  inspect_storage();
}

void PixelSource::inspect_type() {
  const Handle type(H5Dget_type(dataset()));
  const H5T_class_t kind = H5Tget_class(type.get());
  format_.element = H5Tget_size(type.get());
  const bool is_signed = kind == H5T_INTEGER && H5Tget_sign(type.get()) == H5T_SGN_2;
  if (kind == H5T_FLOAT) {
    format_.type = format_.element == 8 ? StoredType::f64 : StoredType::f32;
  } else if (kind == H5T_INTEGER) {
    switch (format_.element) {
    case 1:
      format_.type = is_signed ? StoredType::i8 : StoredType::u8;
      break;
    case 2:
      format_.type = is_signed ? StoredType::i16 : StoredType::u16;
      break;
    case 4:
      format_.type = is_signed ? StoredType::i32 : StoredType::u32;
      break;
    default:
      format_.type = StoredType::other_integer;
    }
  } else {
    core::fail("{} holds no images (its elements are neither integers nor floats) does the dataset "
               "option name the right one?",
               name_);
  }
}

PixelSource::Codec PixelSource::usable_codec(hid_t plist) const {
  const int filters = H5Pget_nfilters(plist);
  if (filters == 0) return Codec::none;
  if (filters > 1) return Codec::library;
  unsigned flags = 0, config = 0, options[8] = {};
  std::size_t count = 8;
  const H5Z_filter_t id = H5Pget_filter2(plist, 0, &flags, &count, options, 0, nullptr, &config);
  if (id == lz4_filter) return Codec::lz4;
  // Options: version (2), element size, block size, compression; only LZ4 (2) is ours.
  const bool ours = id == bitshuffle_filter && count >= 5 && options[4] == 2 &&
                    options[2] == format_.element && format_.element <= 8;
  return ours ? Codec::bitshuffle : Codec::library;
}

bool PixelSource::has_plain_elements() {
  const Handle type(H5Dget_type(dataset()));
  return format_.type != StoredType::other_integer && format_.element <= 8 &&
         (format_.element == 1 || H5Tget_order(type.get()) == H5T_ORDER_LE) &&
         (H5Tget_class(type.get()) == H5T_INTEGER || format_.element >= 4);
}

void PixelSource::inspect_storage() {
  const Handle plist(H5Dget_create_plist(dataset()));
  require_filters(plist.get(), name_);
  if (!has_plain_elements()) return;
  if (H5Pget_layout(plist.get()) == H5D_CHUNKED) inspect_chunks(plist.get());
  const bool here = H5Pget_external_count(plist.get()) == 0;
  if (H5Pget_layout(plist.get()) == H5D_CONTIGUOUS && here) inspect_contiguous();
}

void PixelSource::inspect_chunks(hid_t plist) {
  std::array<hsize_t, 4> chunk{1, 1, 1, 1};
  H5Pget_chunk(plist, format_.rank, chunk.data());
  if (format_.rank > 2 && chunk[0] != 1) return;
  for (int i = format_.rank == 2 ? 0 : 1; i < format_.rank; ++i)
    format_.chunk_shape[static_cast<std::size_t>(i + 3 - format_.rank)] =
        chunk[static_cast<std::size_t>(i)];
  format_.codec = usable_codec(plist);
}

void PixelSource::inspect_contiguous() {
  const haddr_t begin = H5Dget_offset(dataset());
  if (begin == HADDR_UNDEF) return; // nothing was written
  const ssize_t length = H5Fget_name(dataset(), nullptr, 0);
  if (length <= 0) return;
  std::string path(static_cast<std::size_t>(length) + 1, '\0');
  H5Fget_name(dataset(), path.data(), path.size());
  path.pop_back();
  format_.contiguous = {std::filesystem::absolute(path).lexically_normal().string(), begin,
                        pixels_in(format_.shape) * format_.element};
  format_.chunk_shape = format_.shape;
  format_.codec = Codec::none;
}

std::string PixelSource::type_text() const {
  switch (format_.type) {
  case StoredType::u8:
    return "u8";
  case StoredType::i8:
    return "i8";
  case StoredType::u16:
    return "u16";
  case StoredType::i16:
    return "i16";
  case StoredType::u32:
    return "u32";
  case StoredType::i32:
    return "i32";
  case StoredType::f32:
    return format_.element == 4 ? "f32" : "f16";
  case StoredType::f64:
    return "f64";
  case StoredType::other_integer:
    break;
  }
  return fmt::format("i{}", 8 * format_.element);
}

models::PixelBuffer buffer_for(StoredType type) {
  switch (type) {
  case StoredType::u8:
  case StoredType::u16:
    return std::vector<std::uint16_t>();
  case StoredType::f32:
  case StoredType::f64:
    return std::vector<float>();
  default:
    return std::vector<std::int32_t>();
  }
}

template <typename T>
void PixelSource::read(std::int64_t frame, T* out, RangeTrail& trail) {
  if (frame < 0 || frame >= format_.frames)
    core::fail("{} has no frame {} (it has {})", name_, frame, format_.frames);
  try {
    if (format_.codec != Codec::library && read_chunks(frame, out, trail)) return;
  } catch (const core::Error& error) {
    core::fail("cannot read frame {} of {} ({}) is the file complete?", frame, name_, error.what());
  }
  trail.complete = false;
  read_through_library(frame, out);
}

template <typename T>
void PixelSource::read_through_library(std::int64_t frame, T* out) {
  std::vector<hsize_t> count = hdf5::dimensions(dataset()), start(count.size(), 0);
  if (format_.rank > 2) start[0] = static_cast<hsize_t>(frame), count[0] = 1;
  const Handle space(H5Dget_space(dataset()));
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  // Memory of the same rank: HDF5 is several times slower between selections of different ranks.
  const Handle memory(H5Screate_simple(format_.rank, count.data(), nullptr));
  if (H5Dread(dataset(), memory_type<T>(), memory.get(), space.get(), H5P_DEFAULT, out) < 0)
    core::fail("cannot read frame {} of {} ({}) is the file complete?", frame, name_,
               hdf5::last_error());
}

bool PixelSource::fetch(const std::array<hsize_t, 4>& offset, RangeTrail& trail) {
  if (trail.follow) {
    fetch_range(trail.next());
    return true;
  }
  if (format_.contiguous.path.empty()) return fetch_through_library(offset, trail);
  FileRange range = format_.contiguous;
  if (format_.rank > 2) range.offset += offset[0] * range.length;
  fetch_range(range);
  trail.found.push_back(std::move(range));
  return true;
}

void PixelSource::fetch_range(const FileRange& range) {
  if (raw_.size() < range.length) raw_.reserve(range.length);
  raw_.resize(range.length);
  files_.read(range, raw_);
  chunk_is_raw_ = false;
}

bool PixelSource::fetch_through_library(const std::array<hsize_t, 4>& offset, RangeTrail& trail) {
  hsize_t size = 0;
  if (H5Dget_chunk_storage_size(dataset(), offset.data(), &size) < 0 || size == 0) return false;
  if (raw_.size() < size) raw_.reserve(size);
  raw_.resize(size);
  std::uint32_t skipped = 0;
  const hdf5::RawReads reads;
  if (H5Dread_chunk(dataset(), H5P_DEFAULT, offset.data(), &skipped, raw_.data()) < 0)
    core::fail("{}", hdf5::last_error());
  chunk_is_raw_ = (skipped & 1) != 0;
  // A range does not tell that a chunk skipped its filter.
  if (!chunk_is_raw_ && reads.ranges().size() == 1 && reads.ranges()[0].length == size)
    trail.found.push_back(reads.ranges()[0]);
  else
    trail.complete = false;
  return true;
}

void PixelSource::decode(std::span<std::byte> out) {
  if (format_.codec == Codec::none || chunk_is_raw_) {
    core::require(raw_.size() == out.size(), "chunk has {} bytes instead of {}", raw_.size(),
                  out.size());
    std::memcpy(out.data(), raw_.data(), out.size());
  } else if (format_.codec == Codec::lz4) {
    decode_lz4(raw_, out);
  } else {
    decode_bitshuffle_lz4(raw_, format_.element, out, scratch_);
  }
}

template <typename Visit>
void PixelSource::for_each_chunk(std::int64_t frame, const Visit& visit) const {
  for (std::size_t p = 0; p < format_.shape[0]; p += format_.chunk_shape[0])
    for (std::size_t y = 0; y < format_.shape[1]; y += format_.chunk_shape[1])
      for (std::size_t x = 0; x < format_.shape[2]; x += format_.chunk_shape[2]) {
        const auto f = static_cast<hsize_t>(frame);
        std::array<hsize_t, 4> offset{f, p, y, x};
        if (format_.rank == 3) offset = {f, y, x, 0};
        if (format_.rank == 2) offset = {y, x, 0, 0};
        if (!visit(offset, FrameShape{p, y, x})) return;
      }
}

template <typename T>
bool PixelSource::read_chunks(std::int64_t frame, T* out, RangeTrail& trail) {
  bool whole = true;
  if (chunk_is_frame()) {
    for_each_chunk(frame, [&](const std::array<hsize_t, 4>& offset, const FrameShape&) {
      return whole = read_one_chunk(offset, out, trail);
    });
    return whole;
  }
  decoded_.resize(pixels_in(format_.chunk_shape) * format_.element);
  for_each_chunk(frame, [&](const std::array<hsize_t, 4>& offset, const FrameShape& at) {
    whole = fetch(offset, trail);
    if (!whole) return false;
    decode(decoded_);
    const std::size_t width = std::min(format_.chunk_shape[2], format_.shape[2] - at[2]);
    for (std::size_t p = 0; p < format_.chunk_shape[0] && at[0] + p < format_.shape[0]; ++p)
      for (std::size_t y = 0; y < format_.chunk_shape[1] && at[1] + y < format_.shape[1]; ++y)
        convert_pixels(
            decoded_.data() +
                (p * format_.chunk_shape[1] + y) * format_.chunk_shape[2] * format_.element,
            format_.type,
            out + ((at[0] + p) * format_.shape[1] + at[1] + y) * format_.shape[2] + at[2], width);
    return true;
  });
  return whole;
}

template <typename T>
bool PixelSource::read_one_chunk(const std::array<hsize_t, 4>& offset, T* out, RangeTrail& trail) {
  if (!fetch(offset, trail)) return false;
  const std::size_t pixels = pixels_in(format_.shape);
  if (format_.type == stored_as<T>()) {
    decode(std::as_writable_bytes(std::span(out, pixels)));
    return true;
  }
  decoded_.resize(pixels * format_.element);
  decode(decoded_);
  convert_pixels(decoded_.data(), format_.type, out, pixels);
  return true;
}

std::vector<std::byte> PixelSource::stored_bytes(std::int64_t frame) {
  std::vector<std::byte> all;
  bool whole = format_.codec != Codec::library;
  if (whole)
    for_each_chunk(frame, [&](const std::array<hsize_t, 4>& offset, const FrameShape&) {
      RangeTrail trail;
      whole = fetch(offset, trail);
      if (whole) all.insert(all.end(), raw_.begin(), raw_.end());
      return whole;
    });
  if (whole) return all;
  const std::size_t pixels = pixels_in(format_.shape);
  std::vector<float> values(pixels);
  read_through_library(frame, values.data());
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

template void PixelSource::read(std::int64_t, std::uint16_t*, RangeTrail&);
template void PixelSource::read(std::int64_t, std::int32_t*, RangeTrail&);
template void PixelSource::read(std::int64_t, float*, RangeTrail&);

} // namespace kilobragg::io
