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

PixelSource::PixelSource(Handle file, Handle dataset, std::string name)
    : file_(std::move(file))
    , dataset_(std::move(dataset))
    , name_(std::move(name)) {
  const std::vector<hsize_t> dims = hdf5::dimensions(dataset_.get());
  rank_ = static_cast<int>(dims.size());
  if (rank_ < 2 || rank_ > 4)
    core::fail(
        "{} holds no images (its shape is {}) frames x slow x fast or frames x panels x slow "
        "x fast is wanted; does the dataset option name the right one?",
        name_, hdf5::shape_text(dims));
  frames_ = rank_ == 2 ? 1 : static_cast<std::int64_t>(dims[0]);
  for (int i = rank_ == 2 ? 0 : 1; i < rank_; ++i)
    shape_[static_cast<std::size_t>(i + 3 - rank_)] = dims[static_cast<std::size_t>(i)];
  core::require(pixels_in(shape_) > 0, "{} holds no pixels (its shape is {})", name_,
                hdf5::shape_text(dims));
  inspect_type();
  inspect_storage();
}

void PixelSource::inspect_type() {
  const Handle type(H5Dget_type(dataset_.get()));
  const H5T_class_t kind = H5Tget_class(type.get());
  element_ = H5Tget_size(type.get());
  const bool is_signed = kind == H5T_INTEGER && H5Tget_sign(type.get()) == H5T_SGN_2;
  if (kind == H5T_FLOAT) {
    type_ = element_ == 8 ? StoredType::f64 : StoredType::f32;
  } else if (kind == H5T_INTEGER) {
    switch (element_) {
    case 1:
      type_ = is_signed ? StoredType::i8 : StoredType::u8;
      break;
    case 2:
      type_ = is_signed ? StoredType::i16 : StoredType::u16;
      break;
    case 4:
      type_ = is_signed ? StoredType::i32 : StoredType::u32;
      break;
    default:
      type_ = StoredType::other_integer;
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
                    options[2] == element_ && element_ <= 8;
  return ours ? Codec::bitshuffle : Codec::library;
}

bool PixelSource::has_plain_elements() const {
  const Handle type(H5Dget_type(dataset_.get()));
  return type_ != StoredType::other_integer && element_ <= 8 &&
         (element_ == 1 || H5Tget_order(type.get()) == H5T_ORDER_LE) &&
         (H5Tget_class(type.get()) == H5T_INTEGER || element_ >= 4);
}

void PixelSource::inspect_storage() {
  const Handle plist(H5Dget_create_plist(dataset_.get()));
  require_filters(plist.get(), name_);
  if (!has_plain_elements()) return;
  if (H5Pget_layout(plist.get()) == H5D_CHUNKED) inspect_chunks(plist.get());
  const bool here = H5Pget_external_count(plist.get()) == 0;
  if (H5Pget_layout(plist.get()) == H5D_CONTIGUOUS && here) inspect_contiguous();
}

void PixelSource::inspect_chunks(hid_t plist) {
  std::array<hsize_t, 4> chunk{1, 1, 1, 1};
  H5Pget_chunk(plist, rank_, chunk.data());
  if (rank_ > 2 && chunk[0] != 1) return;
  for (int i = rank_ == 2 ? 0 : 1; i < rank_; ++i)
    chunk_shape_[static_cast<std::size_t>(i + 3 - rank_)] = chunk[static_cast<std::size_t>(i)];
  codec_ = usable_codec(plist);
}

void PixelSource::inspect_contiguous() {
  const haddr_t begin = H5Dget_offset(dataset_.get());
  if (begin == HADDR_UNDEF) return; // nothing was written
  const ssize_t length = H5Fget_name(dataset_.get(), nullptr, 0);
  if (length <= 0) return;
  std::string path(static_cast<std::size_t>(length) + 1, '\0');
  H5Fget_name(dataset_.get(), path.data(), path.size());
  path.pop_back();
  contiguous_ = {std::filesystem::absolute(path).lexically_normal().string(), begin,
                 pixels_in(shape_) * element_};
  chunk_shape_ = shape_;
  codec_ = Codec::none;
}

std::string PixelSource::type_text() const {
  switch (type_) {
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
    return element_ == 4 ? "f32" : "f16";
  case StoredType::f64:
    return "f64";
  case StoredType::other_integer:
    break;
  }
  return fmt::format("i{}", 8 * element_);
}

models::PixelBuffer PixelSource::make_buffer() const {
  switch (type_) {
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
  if (frame < 0 || frame >= frames_)
    core::fail("{} has no frame {} (it has {})", name_, frame, frames_);
  try {
    if (codec_ != Codec::library && read_chunks(frame, out, trail)) return;
  } catch (const core::Error& error) {
    core::fail("cannot read frame {} of {} ({}) is the file complete?", frame, name_, error.what());
  }
  trail.complete = false;
  read_through_library(frame, out);
}

template <typename T>
void PixelSource::read_through_library(std::int64_t frame, T* out) {
  std::vector<hsize_t> count = hdf5::dimensions(dataset_.get()), start(count.size(), 0);
  if (rank_ > 2) start[0] = static_cast<hsize_t>(frame), count[0] = 1;
  const Handle space(H5Dget_space(dataset_.get()));
  H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
  // Memory of the same rank: HDF5 is several times slower between selections of different ranks.
  const Handle memory(H5Screate_simple(rank_, count.data(), nullptr));
  if (H5Dread(dataset_.get(), memory_type<T>(), memory.get(), space.get(), H5P_DEFAULT, out) < 0)
    core::fail("cannot read frame {} of {} ({}) is the file complete?", frame, name_,
               hdf5::last_error());
}

bool PixelSource::fetch(const std::array<hsize_t, 4>& offset, RangeTrail& trail) {
  if (trail.follow) {
    fetch_range(trail.next());
    return true;
  }
  if (contiguous_.path.empty()) return fetch_through_library(offset, trail);
  FileRange range = contiguous_;
  if (rank_ > 2) range.offset += offset[0] * range.length;
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
  if (H5Dget_chunk_storage_size(dataset_.get(), offset.data(), &size) < 0 || size == 0)
    return false;
  if (raw_.size() < size) raw_.reserve(size);
  raw_.resize(size);
  std::uint32_t skipped = 0;
  const hdf5::RawReads reads;
  if (H5Dread_chunk(dataset_.get(), H5P_DEFAULT, offset.data(), &skipped, raw_.data()) < 0)
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
  if (codec_ == Codec::none || chunk_is_raw_) {
    core::require(raw_.size() == out.size(), "chunk has {} bytes instead of {}", raw_.size(),
                  out.size());
    std::memcpy(out.data(), raw_.data(), out.size());
  } else if (codec_ == Codec::lz4) {
    decode_lz4(raw_, out);
  } else {
    decode_bitshuffle_lz4(raw_, element_, out, scratch_);
  }
}

template <typename Visit>
void PixelSource::for_each_chunk(std::int64_t frame, const Visit& visit) const {
  for (std::size_t p = 0; p < shape_[0]; p += chunk_shape_[0])
    for (std::size_t y = 0; y < shape_[1]; y += chunk_shape_[1])
      for (std::size_t x = 0; x < shape_[2]; x += chunk_shape_[2]) {
        const auto f = static_cast<hsize_t>(frame);
        std::array<hsize_t, 4> offset{f, p, y, x};
        if (rank_ == 3) offset = {f, y, x, 0};
        if (rank_ == 2) offset = {y, x, 0, 0};
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
  decoded_.resize(pixels_in(chunk_shape_) * element_);
  for_each_chunk(frame, [&](const std::array<hsize_t, 4>& offset, const FrameShape& at) {
    whole = fetch(offset, trail);
    if (!whole) return false;
    decode(decoded_);
    const std::size_t width = std::min(chunk_shape_[2], shape_[2] - at[2]);
    for (std::size_t p = 0; p < chunk_shape_[0] && at[0] + p < shape_[0]; ++p)
      for (std::size_t y = 0; y < chunk_shape_[1] && at[1] + y < shape_[1]; ++y)
        convert_pixels(decoded_.data() + (p * chunk_shape_[1] + y) * chunk_shape_[2] * element_,
                       type_, out + ((at[0] + p) * shape_[1] + at[1] + y) * shape_[2] + at[2],
                       width);
    return true;
  });
  return whole;
}

template <typename T>
bool PixelSource::read_one_chunk(const std::array<hsize_t, 4>& offset, T* out, RangeTrail& trail) {
  if (!fetch(offset, trail)) return false;
  const std::size_t pixels = pixels_in(shape_);
  if (type_ == stored_as<T>()) {
    decode(std::as_writable_bytes(std::span(out, pixels)));
    return true;
  }
  decoded_.resize(pixels * element_);
  decode(decoded_);
  convert_pixels(decoded_.data(), type_, out, pixels);
  return true;
}

std::vector<std::byte> PixelSource::stored_bytes(std::int64_t frame) {
  std::vector<std::byte> all;
  bool whole = codec_ != Codec::library;
  if (whole)
    for_each_chunk(frame, [&](const std::array<hsize_t, 4>& offset, const FrameShape&) {
      RangeTrail trail;
      whole = fetch(offset, trail);
      if (whole) all.insert(all.end(), raw_.begin(), raw_.end());
      return whole;
    });
  if (whole) return all;
  const std::size_t pixels = pixels_in(shape_);
  std::vector<float> values(pixels);
  read_through_library(frame, values.data());
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

template void PixelSource::read(std::int64_t, std::uint16_t*, RangeTrail&);
template void PixelSource::read(std::int64_t, std::int32_t*, RangeTrail&);
template void PixelSource::read(std::int64_t, float*, RangeTrail&);

} // namespace kilobragg::io
