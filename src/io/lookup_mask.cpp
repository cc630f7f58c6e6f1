// Reads users' masks from HDF5 and puts masks together.
#include "kilobragg/io/lookup_mask.hpp"

#include "file_kind.hpp"
#include "hdf5.hpp"

#include "kilobragg/io/bitshuffle.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

struct MaskName {
  std::string file, dataset;
};

/// "file.h5:/path" apart; a file whose own name has a colon is taken as it is.
MaskName split(const std::string& name) {
  std::error_code ignored;
  const std::size_t colon = name.rfind(':');
  if (std::filesystem::exists(name, ignored) || colon == std::string::npos) return {name, {}};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

bool is_pickle(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const int first = file.get();
  return first == 0x80 || first == '(';
}

std::string usual_dataset(hid_t file) {
  for (const char* path : {"/entry/instrument/detector/pixel_mask", "/mask", "/data/mask",
                           "/entry/data/mask", "/data/data", "/entry/data/data"})
    if (hdf5::is_dataset(file, path)) return path;
  std::vector<std::string> datasets;
  for (const std::string& name : hdf5::children(file, "/"))
    if (hdf5::is_dataset(file, "/" + name)) datasets.push_back("/" + name);
  return datasets.size() == 1 ? datasets[0] : std::string();
}

/// Windows that tile the buffer one after the other give its shape; so does a single panel.
std::size_t row_length(const models::ImageLayout& layout) {
  return layout.panels.empty() ? 0 : layout.panels[0].stride;
}

models::PixelMask read_values(hid_t data, const std::string& shown, std::size_t pixels) {
  const Handle type(H5Dget_type(data));
  const H5T_class_t kind = H5Tget_class(type.get());
  models::PixelMask mask(pixels);
  std::vector<std::int32_t> values(kind == H5T_INTEGER ? pixels : 0);
  if (kind != H5T_INTEGER && kind != H5T_ENUM)
    core::fail("the mask {} holds neither integers nor booleans", shown);
  // Booleans are an enumeration over bytes; reading in their own type keeps the bytes.
  const herr_t status = kind == H5T_INTEGER ? H5Dread(data, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL,
                                                      H5P_DEFAULT, values.data())
                        : H5Tget_size(type.get()) == 1
                            ? H5Dread(data, type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, mask.data())
                            : -1;
  if (status < 0) core::fail("cannot read the mask {} ({})", shown, hdf5::last_error());
  if (kind == H5T_INTEGER)
    std::transform(values.begin(), values.end(), mask.begin(), [](std::int32_t value) {
      return value == 0 ? std::uint8_t{1} : std::uint8_t{0};
    });
  return mask;
}

} // namespace

std::shared_ptr<const models::PixelMask> read_lookup_mask(const std::string& name,
                                                          const models::ImageLayout& layout) {
  const MaskName split_name = split(name);
  const FileKind kind = file_kind(split_name.file);
  if (kind != FileKind::hdf5 && is_pickle(split_name.file))
    core::fail(
        "cannot read the mask {} (a DIALS pickle holds Python objects) write it as an HDF5 data "
        "set, for instance h5py.File('mask.h5', 'w')['mask'] = array of booleans, true = "
        "usable?",
        name);
  core::require(kind == FileKind::hdf5, "cannot read the mask {} (it is no HDF5 file)", name);
  const Handle file = hdf5::open_file(split_name.file);
  const std::string dataset =
      split_name.dataset.empty() ? usual_dataset(file.get()) : split_name.dataset;
  const std::string shown = split_name.file + ":" + dataset;
  if (dataset.empty() || !hdf5::is_dataset(file.get(), dataset))
    core::fail("{} holds no mask ({}) name it as file.h5:/path?", name,
               dataset.empty() ? "no data set with a usual name" : "no data set " + dataset);
  const Handle data(H5Dopen2(file.get(), dataset.c_str(), H5P_DEFAULT));
  const std::vector<hsize_t> shape = hdf5::dimensions(data.get());
  std::size_t pixels = shape.empty() ? 0 : 1;
  for (const hsize_t n : shape) pixels *= n;
  if (pixels != layout.size || shape.back() != row_length(layout))
    core::fail(
        "the mask {} has the wrong shape ({}, images have {} pixels in rows of {}) is it that "
        "of another detector?",
        shown, hdf5::shape_text(shape), layout.size, row_length(layout));
  return std::make_shared<const models::PixelMask>(read_values(data.get(), shown, pixels));
}

std::string pack_mask(const models::PixelMask& mask) {
  const std::uint64_t pixels = mask.size();
  const auto packed = encode_bitshuffle_lz4(std::as_bytes(std::span(mask)), 1);
  std::string bytes(sizeof pixels, '\0');
  std::memcpy(bytes.data(), &pixels, sizeof pixels);
  return bytes.append(reinterpret_cast<const char*>(packed.data()), packed.size());
}

models::PixelMask unpack_mask(const std::string& bytes) {
  std::uint64_t pixels = 0;
  core::require(bytes.size() > sizeof pixels, "a packed mask of {} bytes is none", bytes.size());
  std::memcpy(&pixels, bytes.data(), sizeof pixels);
  // No mask shrinks to less than a few thousandths: larger claims are damage.
  core::require(pixels / 1024 <= bytes.size(), "a packed mask of {} bytes cannot hold {} pixels",
                bytes.size(), pixels);
  models::PixelMask mask(pixels);
  std::vector<std::byte> scratch;
  decode_bitshuffle_lz4(std::as_bytes(std::span(bytes)).subspan(sizeof pixels), 1,
                        std::as_writable_bytes(std::span(mask)), scratch);
  return mask;
}

std::shared_ptr<const models::PixelMask>
combine_masks(const std::shared_ptr<const models::PixelMask>& a,
              const std::shared_ptr<const models::PixelMask>& b) {
  if (!a || a->empty()) return b;
  if (!b || b->empty()) return a;
  core::require(a->size() == b->size(), "masks of {} and {} pixels cannot be combined", a->size(),
                b->size());
  auto both = std::make_shared<models::PixelMask>(*a);
  std::transform(both->begin(), both->end(), b->begin(), both->begin(),
                 [](std::uint8_t x, std::uint8_t y) {
                   return x != 0 && y != 0 ? std::uint8_t{1} : std::uint8_t{0};
                 });
  return both;
}

} // namespace kilobragg::io
