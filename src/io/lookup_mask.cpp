// Reads users' masks from HDF5 and puts masks together.
#include "kilobragg/io/lookup_mask.hpp"

#include "lookup_data.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/bitshuffle.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

namespace kilobragg::io {
namespace {

using hdf5::Handle;

constexpr std::array usual_names = {"/entry/instrument/detector/pixel_mask",
                                    "/mask",
                                    "/data/mask",
                                    "/entry/data/mask",
                                    "/data/data",
                                    "/entry/data/data"};

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

LookupMask read_lookup_mask(const std::string& name) {
  const LookupData data = open_lookup(name, "mask", usual_names);
  return {data.shown, hdf5::shape_text(data.shape), data.row(),
          read_values(data.data.get(), data.shown, data.pixels())};
}

void require_fits(const LookupMask& mask, const models::ImageLayout& layout) {
  core::require(mask.usable.size() == layout.size && mask.row == row_length(layout),
                "the mask {} has the wrong shape ({}, images have {} pixels in rows of {}) is it "
                "that of another detector?",
                mask.shown, mask.shape, layout.size, row_length(layout));
}

std::shared_ptr<const models::PixelMask> read_lookup_mask(const std::string& name,
                                                          const models::ImageLayout& layout) {
  LookupMask mask = read_lookup_mask(name);
  require_fits(mask, layout);
  return std::make_shared<const models::PixelMask>(std::move(mask.usable));
}

std::vector<float> read_lookup_noise(const std::string& name, LookupMask& mask) {
  constexpr std::array usual = {"/readout_noise", "/pixel_rms", "/dark_rms", "/rms"};
  const LookupData data = open_lookup(name, "readout noise", usual);
  const std::size_t pixels = data.pixels();
  std::vector<float> rms(pixels);
  core::require(
      H5Dread(data.data.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, rms.data()) >= 0,
      "cannot read the readout noise {} ({})", data.shown, hdf5::last_error());
  if (mask.usable.empty()) {
    mask = {data.shown, hdf5::shape_text(data.shape), data.row(), models::PixelMask(pixels, 1)};
  } else {
    core::require(mask.usable.size() == pixels && mask.row == data.row(),
                  "the readout noise {} is {} but the mask {} is {} (they must be of one detector)",
                  data.shown, hdf5::shape_text(data.shape), mask.shown, mask.shape);
  }
  for (std::size_t i = 0; i < pixels; ++i) {
    if (rms[i] >= 0 && std::isfinite(rms[i])) continue;
    rms[i] = 0;
    mask.usable[i] = 0;
  }
  return rms;
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
