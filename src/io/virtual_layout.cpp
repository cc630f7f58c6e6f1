// Reads the mappings of virtual data sets as boxes of frames.
#include "virtual_layout.hpp"

namespace kilobragg::io {
namespace {

using hdf5::Handle;

/// A selection as frames (first, stride, count) and a box within the frame.
struct Box {
  std::int64_t first = 0, stride = 1, count = 1;
  FrameShape at{0, 0, 0}, size{1, 1, 1};
};

struct Hyperslab {
  std::vector<hsize_t> start, stride, count, block;
};

std::optional<Hyperslab> hyperslab(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 2 || rank > 4) return std::nullopt;
  const auto n = static_cast<std::size_t>(rank);
  Hyperslab h{std::vector<hsize_t>(n, 0), std::vector<hsize_t>(n, 1), std::vector<hsize_t>(n, 1),
              std::vector<hsize_t>(n, 1)};
  switch (H5Sget_select_type(space)) {
  case H5S_SEL_ALL:
    H5Sget_simple_extent_dims(space, h.block.data(), nullptr);
    return h;
  case H5S_SEL_HYPERSLABS:
    break;
  default:
    return std::nullopt;
  }
  if (H5Sis_regular_hyperslab(space) <= 0 ||
      H5Sget_regular_hyperslab(space, h.start.data(), h.stride.data(), h.count.data(),
                               h.block.data()) < 0)
    return std::nullopt;
  return h;
}

/// Extent along one dimension if it is contiguous: one block, or blocks side by side.
std::optional<hsize_t> contiguous(const Hyperslab& h, std::size_t i) {
  if (h.count[i] == H5S_UNLIMITED || h.block[i] == H5S_UNLIMITED) return std::nullopt;
  if (h.count[i] > 1 && h.stride[i] != h.block[i]) return std::nullopt;
  return h.count[i] * h.block[i];
}

std::optional<Box> box_of(hid_t space) {
  const auto slab = hyperslab(space);
  if (!slab) return std::nullopt;
  const std::size_t rank = slab->start.size();
  Box box;
  for (std::size_t i = rank == 2 ? 0 : 1; i < rank; ++i) {
    const auto extent = contiguous(*slab, i);
    if (!extent) return std::nullopt;
    box.at[i + 3 - rank] = slab->start[i];
    box.size[i + 3 - rank] = *extent;
  }
  if (rank == 2) return box;
  box.first = static_cast<std::int64_t>(slab->start[0]);
  if (const auto extent = contiguous(*slab, 0)) {
    box.count = static_cast<std::int64_t>(*extent);
  } else {
    if (slab->block[0] != 1 || slab->count[0] == H5S_UNLIMITED) return std::nullopt;
    box.stride = static_cast<std::int64_t>(slab->stride[0]);
    box.count = static_cast<std::int64_t>(slab->count[0]);
  }
  return box;
}

std::string name_through(hid_t plist, std::size_t index,
                         ssize_t (*get)(hid_t, std::size_t, char*, std::size_t)) {
  const ssize_t size = get(plist, index, nullptr, 0);
  std::string text(static_cast<std::size_t>(std::max<ssize_t>(size, 0)), '\0');
  if (size > 0) get(plist, index, text.data(), text.size() + 1);
  return text;
}

std::size_t number_of(std::vector<SourceName>& sources, const SourceName& name) {
  for (std::size_t i = 0; i < sources.size(); ++i)
    if (sources[i].file == name.file && sources[i].dataset == name.dataset) return i;
  sources.push_back(name);
  return sources.size() - 1;
}

} // namespace

std::optional<VirtualLayout> virtual_layout(hid_t dataset) {
  const Handle plist(H5Dget_create_plist(dataset));
  std::size_t count = 0;
  if (H5Pget_layout(plist.get()) != H5D_VIRTUAL || H5Pget_virtual_count(plist.get(), &count) < 0 ||
      count == 0)
    return std::nullopt;
  VirtualLayout layout;
  for (std::size_t i = 0; i < count; ++i) {
    const Handle to(H5Pget_virtual_vspace(plist.get(), i)),
        from(H5Pget_virtual_srcspace(plist.get(), i));
    const auto here = box_of(to.get()), there = box_of(from.get());
    if (!here || !there || here->count != there->count || here->size != there->size)
      return std::nullopt;
    const SourceName name{name_through(plist.get(), i, H5Pget_virtual_filename),
                          name_through(plist.get(), i, H5Pget_virtual_dsetname)};
    if (name.file.find('%') != std::string::npos || name.dataset.find('%') != std::string::npos)
      return std::nullopt;
    layout.pieces.push_back({number_of(layout.sources, name), here->first, here->stride,
                             here->count, there->first, there->stride, here->at, there->at,
                             here->size});
  }
  return layout;
}

} // namespace kilobragg::io
