// Finds the source of each frame, keeps its file open and puts boxes of frames together.
#include "frame_store.hpp"

#include "virtual_layout.hpp"

#include <algorithm>
#include <filesystem>

namespace kilobragg::io {
namespace {

using hdf5::Handle;
namespace fs = std::filesystem;

/// Files open at once by one reader; runs can have thousands of them.
constexpr std::size_t most_open = 32;

/// What an external link leads, or was meant to lead, to; none for what is no such link.
std::optional<SourceName> link_target(hid_t location, const std::string& path) {
  H5L_info_t info;
  if (H5Lget_info(location, path.c_str(), &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_EXTERNAL)
    return {};
  std::vector<char> value(info.u.val_size);
  const char *file = nullptr, *object = nullptr;
  unsigned flags = 0;
  if (H5Lget_val(location, path.c_str(), value.data(), value.size(), H5P_DEFAULT) < 0 ||
      H5Lunpack_elink_val(value.data(), value.size(), &flags, &file, &object) < 0)
    return {};
  return SourceName{file, object};
}

/// HDF5's rule for names in virtual data sets: as they are, or beside the file that names them.
std::string beside(const std::string& master, const std::string& file) {
  if (file == ".") return {};
  const fs::path named(file);
  if (named.is_absolute() && fs::exists(named)) return file;
  const fs::path near =
      fs::path(master).parent_path() / (named.is_absolute() ? named.filename() : named);
  return fs::exists(near) || named.is_absolute() ? near.string() : file;
}

double fill_value(hid_t dataset) {
  const Handle plist(H5Dget_create_plist(dataset));
  double value = 0;
  H5Pget_fill_value(plist.get(), H5T_NATIVE_DOUBLE, &value);
  return value;
}

} // namespace

FrameStore::FrameStore(hdf5::LazyFile& master, FrameMap map)
    : master_(master)
    , map_(std::move(map))
    , open_(map_.sources.size())
    , empty_(buffer_for(map_.type)) {}

FrameStore::FrameStore(hdf5::LazyFile& master, const std::vector<std::string>& datasets)
    : master_(master) {
  for (const std::string& dataset : datasets) add_dataset(dataset);
  if (map_.frames == 0)
    core::fail("{} has no frames (its data set {} is empty) was the run aborted?", master_.path(),
               datasets.empty() ? "" : datasets.front());
}

void FrameStore::add_source(SourceName name) {
  map_.sources.push_back({std::move(name), {}});
  open_.emplace_back();
}

void FrameStore::add_dataset(const std::string& dataset) {
  // The file behind a link is opened directly, so that those who read frames need not the master.
  const auto target = link_target(master_.get(), dataset);
  const std::string file = target ? beside(master_.path(), target->file) : "";
  const bool linked = !file.empty() && fs::exists(file);
  add_source(linked ? SourceName{file, target->dataset} : SourceName{"", dataset});
  const std::size_t index = map_.sources.size() - 1;
  PixelSource& whole = source(index);
  if (index == 0) {
    map_.shape = whole.shape();
    map_.frame_rank = whole.frame_rank();
    map_.type = whole.type();
    map_.type_text = whole.type_text();
    map_.fill = fill_value(whole.dataset());
    empty_ = buffer_for(map_.type);
  }
  if (whole.shape() != map_.shape || buffer_for(whole.type()).index() != empty_.index())
    core::fail("{} and {} in {} differ in the shape or type of their frames",
               map_.sources[0].name.dataset, dataset, master_.path());
  if (whole.frames() > 0 && !add_virtual(dataset, whole))
    map_.pieces.push_back(
        {index, map_.frames, 1, whole.frames(), 0, 1, {0, 0, 0}, {0, 0, 0}, map_.shape});
  map_.frames += whole.frames();
}

bool FrameStore::add_virtual(const std::string& dataset, PixelSource& whole) {
  const auto layout = virtual_layout(whole.dataset());
  if (!layout) return false;
  const std::size_t base = map_.sources.size();
  for (const SourceName& name : layout->sources) {
    const std::string file = beside(master_.path(), name.file);
    if (file.empty() && name.dataset == dataset) return false;
    add_source({file, name.dataset});
  }
  for (Piece piece : layout->pieces) {
    piece.source += base;
    piece.first += map_.frames;
    map_.pieces.push_back(piece);
  }
  return true;
}

std::string FrameStore::shown(const SourceName& name) const {
  return (name.file.empty() ? master_.path() : name.file) + ":" + name.dataset;
}

PixelSource::Open FrameStore::open(const SourceName& name) const {
  Handle file;
  if (!name.file.empty()) file = hdf5::open_file(name.file);
  const hid_t location = name.file.empty() ? master_.get() : file.get();
  if (!hdf5::is_dataset(location, name.dataset)) {
    const auto target = link_target(location, name.dataset);
    if (!target)
      core::fail("{} is no data set (no such name in the file, or a group) does the dataset option "
                 "name the right one?",
                 shown(name));
    core::fail("cannot open {} (it links to {}:{}, which is not there) were the data files copied "
               "with the master?",
               shown(name), target->file, target->dataset);
  }
  Handle dataset(H5Dopen2(location, name.dataset.c_str(), H5P_DEFAULT));
  if (!dataset) core::fail("cannot open {} ({})", shown(name), hdf5::last_error());
  return {std::move(file), std::move(dataset)};
}

PixelSource& FrameStore::source(std::size_t index) {
  if (open_[index]) return *open_[index];
  if (open_count_ >= most_open) {
    for (auto& source : open_) source.reset();
    open_count_ = 0;
  }
  FrameMap::Source& from = map_.sources[index];
  if (from.format) {
    open_[index] = std::make_unique<PixelSource>(
        *from.format, [this, name = from.name] { return open(name); }, shown(from.name));
  } else {
    open_[index] = std::make_unique<PixelSource>(open(from.name), shown(from.name));
    from.format = open_[index]->format();
  }
  ++open_count_;
  return *open_[index];
}

void FrameStore::read(std::int64_t frame, models::PixelBuffer& pixels,
                      std::vector<FileRange>& ranges) {
  if (frame < 0 || frame >= map_.frames)
    core::fail("{} has no frame {} (it has {})", master_.path(), frame, map_.frames);
  if (pixels.index() != empty_.index()) pixels = empty_;
  RangeTrail trail(ranges);
  box_frame_ = -1; // a box kept from the frame before would not show where it came from
  std::visit([&](auto& buffer) { read_into(frame, buffer, trail); }, pixels);
  core::require(
      trail.known.empty(),
      "frame {} of {} has more places in the index than in the file (was the file written "
      "again?) remove the index to have it made again?",
      frame, master_.path());
  if (!trail.follow && trail.complete) ranges = std::move(trail.found);
}

template <typename T>
void FrameStore::read_into(std::int64_t frame, std::vector<T>& pixels, RangeTrail& trail) {
  pixels.resize(pixels_in(map_.shape));
  std::size_t covered = 0;
  for (const Piece& piece : map_.pieces) {
    const std::int64_t from = piece.source_frame(frame);
    if (from < 0) continue;
    PixelSource& reader = source(piece.source);
    if (piece.size == map_.shape && reader.shape() == map_.shape) {
      reader.read(from, pixels.data(), trail);
      return;
    }
    // Gaps between modules keep the data set's fill value.
    if (covered == 0) std::fill(pixels.begin(), pixels.end(), static_cast<T>(map_.fill));
    copy_box(piece, from, pixels, trail);
    covered += pixels_in(piece.size);
  }
  core::require(covered > 0, "frame {} of {} lies in no data file (the virtual data set has a gap)",
                frame, master_.path());
}

template <typename T>
void FrameStore::copy_box(const Piece& piece, std::int64_t source_frame, std::vector<T>& pixels,
                          RangeTrail& trail) {
  PixelSource& reader = source(piece.source);
  const FrameShape& from = reader.shape();
  for (std::size_t i = 0; i < 3; ++i)
    core::require(piece.source_at[i] + piece.size[i] <= from[i] &&
                      piece.at[i] + piece.size[i] <= map_.shape[i],
                  "{} is smaller than the virtual data set in {} says", reader.name(),
                  master_.path());
  if (!std::holds_alternative<std::vector<T>>(box_)) box_ = std::vector<T>(), box_frame_ = -1;
  auto& box = std::get<std::vector<T>>(box_);
  if (box_frame_ != source_frame || box_source_ != piece.source) {
    box_frame_ = -1;
    box.resize(pixels_in(from));
    reader.read(source_frame, box.data(), trail);
    box_frame_ = source_frame, box_source_ = piece.source;
  }
  for (std::size_t p = 0; p < piece.size[0]; ++p)
    for (std::size_t y = 0; y < piece.size[1]; ++y) {
      const T* row = box.data() +
                     ((piece.source_at[0] + p) * from[1] + piece.source_at[1] + y) * from[2] +
                     piece.source_at[2];
      std::copy(row, row + piece.size[2],
                pixels.begin() +
                    static_cast<std::ptrdiff_t>(
                        ((piece.at[0] + p) * map_.shape[1] + piece.at[1] + y) * map_.shape[2] +
                        piece.at[2]));
    }
}

std::vector<std::byte> FrameStore::stored_bytes(std::int64_t frame) {
  std::vector<std::byte> all;
  for (const Piece& piece : map_.pieces) {
    const std::int64_t from = piece.source_frame(frame);
    if (from < 0) continue;
    const std::vector<std::byte> bytes = source(piece.source).stored_bytes(from);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

} // namespace kilobragg::io
