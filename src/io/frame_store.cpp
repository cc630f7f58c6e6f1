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

/// What a link that leads nowhere was meant to lead to.
std::string link_target(hid_t location, const std::string& path) {
  H5L_info_t info;
  if (H5Lget_info(location, path.c_str(), &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_EXTERNAL)
    return {};
  std::vector<char> value(info.u.val_size);
  const char *file = nullptr, *object = nullptr;
  unsigned flags = 0;
  if (H5Lget_val(location, path.c_str(), value.data(), value.size(), H5P_DEFAULT) < 0 ||
      H5Lunpack_elink_val(value.data(), value.size(), &flags, &file, &object) < 0)
    return {};
  return std::string(file) + ":" + object;
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

FrameStore::FrameStore(hid_t master, std::string path, const std::vector<std::string>& datasets)
    : master_(master)
    , path_(std::move(path)) {
  for (const std::string& dataset : datasets) add_dataset(dataset);
  if (frames_ == 0)
    core::fail("{} has no frames (its data set {} is empty) was the run aborted?", path_,
               datasets.empty() ? "" : datasets.front());
}

void FrameStore::add_dataset(const std::string& dataset) {
  names_.push_back({"", dataset});
  open_.emplace_back();
  const std::size_t index = names_.size() - 1;
  const PixelSource& whole = source(index);
  if (index == 0) {
    shape_ = whole.shape();
    frame_rank_ = whole.frame_rank();
    type_ = whole.type();
    type_text_ = whole.type_text();
    empty_ = whole.make_buffer();
    fill_ = fill_value(whole.dataset());
  }
  if (whole.shape() != shape_ || whole.make_buffer().index() != empty_.index())
    core::fail("{} and {} in {} differ in the shape or type of their frames", names_[0].dataset,
               dataset, path_);
  if (whole.frames() > 0 && !add_virtual(dataset, whole))
    pieces_.push_back({index, frames_, 1, whole.frames(), 0, 1, {0, 0, 0}, {0, 0, 0}, shape_});
  frames_ += whole.frames();
}

bool FrameStore::add_virtual(const std::string& dataset, const PixelSource& whole) {
  const auto layout = virtual_layout(whole.dataset());
  if (!layout) return false;
  const std::size_t base = names_.size();
  for (const SourceName& name : layout->sources) {
    const std::string file = beside(path_, name.file);
    if (file.empty() && name.dataset == dataset) return false;
    names_.push_back({file, name.dataset});
    open_.emplace_back();
  }
  for (Piece piece : layout->pieces) {
    piece.source += base;
    piece.first += frames_;
    pieces_.push_back(piece);
  }
  return true;
}

PixelSource& FrameStore::source(std::size_t index) {
  if (open_[index]) return *open_[index];
  const SourceName& name = names_[index];
  if (open_count_ >= most_open) {
    for (auto& source : open_) source.reset();
    open_count_ = 0;
  }
  Handle file;
  if (!name.file.empty()) file = hdf5::open_file(name.file);
  const hid_t location = name.file.empty() ? master_ : file.get();
  const std::string shown = (name.file.empty() ? path_ : name.file) + ":" + name.dataset;
  if (!hdf5::is_dataset(location, name.dataset)) {
    const std::string target = link_target(location, name.dataset);
    if (target.empty())
      core::fail("{} is no data set (no such name in the file, or a group) does the dataset option "
                 "name the right one?",
                 shown);
    core::fail(
        "cannot open {} (it links to {}, which is not there) were the data files copied with "
        "the master?",
        shown, target);
  }
  Handle dataset(H5Dopen2(location, name.dataset.c_str(), H5P_DEFAULT));
  if (!dataset) core::fail("cannot open {} ({})", shown, hdf5::last_error());
  open_[index] = std::make_unique<PixelSource>(std::move(file), std::move(dataset), shown);
  ++open_count_;
  return *open_[index];
}

void FrameStore::read(std::int64_t frame, models::PixelBuffer& pixels,
                      std::vector<FileRange>& ranges) {
  if (frame < 0 || frame >= frames_)
    core::fail("{} has no frame {} (it has {})", path_, frame, frames_);
  if (pixels.index() != empty_.index()) pixels = empty_;
  RangeTrail trail(ranges);
  box_frame_ = -1; // a box kept from the frame before would not show where it came from
  std::visit([&](auto& buffer) { read_into(frame, buffer, trail); }, pixels);
  core::require(
      trail.known.empty(),
      "frame {} of {} has more places in the index than in the file (was the file written "
      "again?) remove the index to have it made again?",
      frame, path_);
  if (!trail.follow && trail.complete) ranges = std::move(trail.found);
}

template <typename T>
void FrameStore::read_into(std::int64_t frame, std::vector<T>& pixels, RangeTrail& trail) {
  pixels.resize(pixels_in(shape_));
  std::size_t covered = 0;
  for (const Piece& piece : pieces_) {
    const std::int64_t from = piece.source_frame(frame);
    if (from < 0) continue;
    PixelSource& reader = source(piece.source);
    if (piece.size == shape_ && reader.shape() == shape_) {
      reader.read(from, pixels.data(), trail);
      return;
    }
    // Gaps between modules keep the data set's fill value.
    if (covered == 0) std::fill(pixels.begin(), pixels.end(), static_cast<T>(fill_));
    copy_box(piece, from, pixels, trail);
    covered += pixels_in(piece.size);
  }
  core::require(covered > 0, "frame {} of {} lies in no data file (the virtual data set has a gap)",
                frame, path_);
}

template <typename T>
void FrameStore::copy_box(const Piece& piece, std::int64_t source_frame, std::vector<T>& pixels,
                          RangeTrail& trail) {
  PixelSource& reader = source(piece.source);
  const FrameShape& from = reader.shape();
  for (std::size_t i = 0; i < 3; ++i)
    core::require(piece.source_at[i] + piece.size[i] <= from[i] &&
                      piece.at[i] + piece.size[i] <= shape_[i],
                  "{} is smaller than the virtual data set in {} says", reader.name(), path_);
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
                pixels.begin() + static_cast<std::ptrdiff_t>(
                                     ((piece.at[0] + p) * shape_[1] + piece.at[1] + y) * shape_[2] +
                                     piece.at[2]));
    }
}

std::vector<std::byte> FrameStore::stored_bytes(std::int64_t frame) {
  std::vector<std::byte> all;
  for (const Piece& piece : pieces_) {
    const std::int64_t from = piece.source_frame(frame);
    if (from < 0) continue;
    const std::vector<std::byte> bytes = source(piece.source).stored_bytes(from);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

} // namespace kilobragg::io
