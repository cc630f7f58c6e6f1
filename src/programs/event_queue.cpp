// Scanning, selection, and batches that carry what their receiver lacks.
#include "event_queue.hpp"

#include "library_gate.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/lookup_mask.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace kilobragg::programs {
namespace {

namespace fs = std::filesystem;

std::string stem(const std::string& path) { return fs::path(path).stem().string(); }

std::string absolute(const std::string& path) {
  return fs::absolute(path).lexically_normal().string();
}

std::string file_key(const std::string& path, const std::string& dataset) {
  return path + '\n' + dataset;
}

void append_file_list(const std::string& path, std::vector<std::string>& paths) {
  std::ifstream file(path);
  core::require(file.is_open(), "cannot read input.file_list '{}' (no such file?)", path);
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    paths.push_back(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
  }
}

/// Of every n events k are kept, where k/n is the percentage in lowest terms.
bool is_sampled(std::size_t position, int percent) {
  const auto divisor = std::size_t(std::gcd(percent, 100));
  return position % (100 / divisor) < std::size_t(percent) / divisor;
}

/// What decides whether a lookup mask fits.
std::pair<std::size_t, std::size_t> image_size(const models::ImageLayout& layout) {
  return {layout.size, layout.panels.empty() ? 0 : layout.panels[0].stride};
}

/// A lookup.mask as bytes to send, for images of one layout.
std::string packed_lookup_mask(const std::string& name, const models::ImageLayout& layout) {
  return name.empty() ? "" : io::pack_mask(*io::read_lookup_mask(name, layout));
}

} // namespace

void DoneImages::add(const std::string& path, const std::string& dataset, std::int64_t frame,
                     const std::string& content_id) {
  File& file = files_[file_key(path, dataset)];
  const bool is_new = file.frames.insert(frame).second;
  count_ += is_new;
  if (is_new && !dataset.empty()) ++in_file_[path];
  if (!content_id.empty()) file.content_id = content_id;
}

bool DoneImages::has(const std::string& path, const std::string& dataset,
                     std::int64_t frame) const {
  const auto file = files_.find(file_key(path, dataset));
  return file != files_.end() && file->second.frames.count(frame) != 0;
}

std::int64_t DoneImages::in_file(const std::string& path) const {
  const auto file = in_file_.find(path);
  return file == in_file_.end() ? 0 : file->second;
}

std::string DoneImages::content_id(const std::string& path, const std::string& dataset) const {
  const auto file = files_.find(file_key(path, dataset));
  return file == files_.end() ? "" : file->second.content_id;
}

std::string event_tag(const std::string& path, bool several_frames, std::int64_t frame) {
  return several_frames ? fmt::format("{}_{:05d}", stem(path), frame) : stem(path);
}

io::EventIndex select_events(const StillsOptions& options) {
  StillsOptions finding = options;
  finding.input.reference_geometry.clear();
  EventQueue queue(finding, {});
  queue.scan_all();
  queue.require_tags();
  return queue.waiting_events();
}

const std::string* failure_of(const io::EventIndex& index, std::uint32_t source) {
  for (const auto& [path, reason] : index.failed)
    if (path == index.sources[source].path) return &reason;
  return nullptr;
}

std::vector<std::string> input_paths(const InputOptions& options) {
  std::vector<std::string> paths = options.paths;
  paths.insert(paths.end(), options.globs.begin(), options.globs.end());
  if (!options.file_list.empty()) append_file_list(options.file_list, paths);
  core::require(!paths.empty(), "no images were given (neither as arguments nor by input.glob or "
                                "input.file_list) see --help");
  return paths;
}

EventQueue::EventQueue(const StillsOptions& options, DoneImages done)
    : options_(options)
    , done_(std::move(done))
    , builder_(input_paths(options.input), options.input.image_search())
    , tags_(options.input.image_tags.begin(), options.input.image_tags.end()) {
  if (!options.input.reference_geometry.empty())
    reference_ = io::read_reference_geometry(options.input.reference_geometry);
}

bool EventQueue::scan() {
  if (!growing()) return false;
  if (growing_) {
    const auto pass = LibraryPass::if_free();
    if (!pass) return false;
    growing_ = builder_.step(index_) && builder_.inputs_left() > 0;
  }
  const bool took_all = take_new_events();
  const auto most = options_.input.max_images;
  if (most && selected_ + std::size_t(already_done_) >= std::size_t(*most)) growing_ = false;
  return took_all && growing();
}

void EventQueue::scan_all() {
  while (scan()) {
  }
}

bool EventQueue::take_new_events() {
  for (; failed_seen_ < index_.failed.size(); ++failed_seen_) {
    const auto& [path, reason] = index_.failed[failed_seen_];
    const auto source = static_cast<std::uint32_t>(index_.sources.size());
    problems_[source] = reason;
    // Of a file that went away the results stay, and that it is gone counts beside them.
    already_done_ += done_.in_file(absolute(path));
    index_.sources.push_back({path, "", 1, ""});
    index_.events.push_back({source, 0});
  }
  for (; looked_at_ < index_.events.size(); ++looked_at_) {
    const io::Event& event = index_.events[looked_at_];
    // Before selects(), which counts each event that it is asked for.
    const auto done = is_done(event);
    if (!done) return false;
    if (!selects(event)) continue;
    if (*done) {
      ++already_done_;
      continue;
    }
    ++selected_;
    waiting_.push_back(static_cast<std::int64_t>(looked_at_));
  }
  return true;
}

bool EventQueue::selects(const io::Event& event) {
  const auto& source = index_.sources[event.source];
  if (!tags_.empty()) {
    bool wanted = false;
    for (const std::string& tag :
         {event_tag(source.path, source.frames > 1, event.frame), stem(source.path)})
      if (tags_.count(tag) != 0) {
        wanted = true;
        tags_seen_.insert(tag);
      }
    if (!wanted) return false;
  }
  if (!is_sampled(sampled_++, options_.input.process_percent)) return false;
  const auto& most = options_.input.max_images;
  return !most || selected_ + std::size_t(already_done_) < std::size_t(*most);
}

std::optional<bool> EventQueue::is_done(const io::Event& event) {
  if (done_.size() == 0) return false;
  const auto& source = index_.sources[event.source];
  if (done_.has(absolute(source.path), source.dataset, event.frame)) return true;
  if (source.expt.empty()) return false;
  // The images of an .expt are recorded under their own names; above are those never read.
  const Described* described = describe(event.source);
  if (described == nullptr) return std::nullopt;
  if (!described->reader) return false;
  const auto pass = LibraryPass::if_free();
  if (!pass) return std::nullopt;
  try {
    const models::ImageSource image = described->reader->source(event.frame);
    return done_.has(image.path, image.dataset, image.frame);
  } catch (const core::Error&) {
    return false; // who reads it says why it cannot be opened
  }
}

void EventQueue::require_tags() const {
  for (const std::string& tag : tags_)
    core::require(tags_seen_.count(tag) != 0,
                  "input.image_tag={} is the tag of no image (--help says how tags are made) see "
                  "input.show_image_tags=True",
                  tag);
}

std::string EventQueue::problem(std::uint32_t source) const {
  const auto found = problems_.find(source);
  return found == problems_.end() ? "" : found->second;
}

std::int64_t EventQueue::available() const { return static_cast<std::int64_t>(waiting_.size()); }

EventQueue::Described* EventQueue::describe(std::uint32_t source) {
  for (auto it = described_.begin(); it != described_.end(); ++it)
    if (it->id == source) {
      described_.splice(described_.begin(), described_, it);
      return &described_.front();
    }
  const auto pass = LibraryPass::if_free();
  if (!pass) return nullptr;
  constexpr std::size_t most_open = 16;
  if (described_.size() >= most_open) described_.pop_back();
  const io::FrameSource& from = index_.sources[source];
  SourceInfo info{source, from.path, from.dataset, from.frames > 1, {}, {}, nullptr};
  Described described{source, nullptr, nullptr};
  const auto problem = problems_.find(source);
  try {
    if (problem != problems_.end()) core::fail("{}", problem->second);
    const bool single = from.dataset.empty() && from.expt.empty();
    if (single && single_geometry_) {
      info.description = io::describe_single_image(from.path).source;
      info.geometry = single_geometry_;
      described.info = std::make_shared<const SourceInfo>(std::move(info));
      described_.push_front(std::move(described));
      return &described_.front();
    }
    auto reader = io::open_images(from.path, from.dataset, options_.input.image_search());
    if (reference_) reader = io::replace_geometry(std::move(reader), *reference_);
    io::ImageDescription description = reader->describe();
    const std::string before = done_.content_id(absolute(from.path), from.dataset);
    if (!before.empty() && before != reader->content_id())
      core::fail("{} is not the file that the results are of (its content id is {}, theirs {}) "
                 "process it into another folder?",
                 from.path, reader->content_id(), before);
    info.geometry = shared_geometry(description.geometry, *reader);
    info.description = std::move(description.source);
    // A lookup mask that does not fit this image may fit the next.
    if (single && info.geometry->mask_problem.empty()) single_geometry_ = info.geometry;
    described.reader = std::move(reader);
  } catch (const core::Error& error) {
    info.problem = error.what();
  }
  described.info = std::make_shared<const SourceInfo>(std::move(info));
  described_.push_front(std::move(described));
  return &described_.front();
}

const EventQueue::LookupMasks& EventQueue::lookup_masks(const models::ImageLayout& layout) {
  const auto [at, is_new] = masks_.try_emplace(image_size(layout));
  if (!is_new) return at->second;
  LookupMasks& masks = at->second;
  try {
    masks.spotfinder = packed_lookup_mask(options_.spotfinder_mask, layout);
    masks.integration = packed_lookup_mask(options_.integration_mask, layout);
  } catch (const core::Error& error) {
    masks.problem = error.what();
  }
  return masks;
}

std::shared_ptr<const SharedGeometry> EventQueue::shared_geometry(const std::string& description,
                                                                  const io::ImageReader& reader) {
  // Without masks the layout does not matter: an .expt would open an image for it.
  const bool masked = !options_.spotfinder_mask.empty() || !options_.integration_mask.empty();
  const auto layout = masked ? reader.layout() : nullptr;
  const ImageSize size = masked ? image_size(*layout) : ImageSize();
  const auto known = geometries_.find({size, description});
  if (known != geometries_.end()) return known->second;
  auto geometry = std::make_shared<SharedGeometry>();
  geometry->id = static_cast<std::uint32_t>(geometries_.size());
  geometry->description = description;
  if (masked) {
    const LookupMasks& masks = lookup_masks(*layout);
    geometry->spotfinder_mask = masks.spotfinder;
    geometry->integration_mask = masks.integration;
    geometry->mask_problem = masks.problem;
  }
  geometries_.emplace(std::pair(size, std::string_view(geometry->description)), geometry);
  return geometry;
}

BatchEvent EventQueue::batch_event(std::int64_t number, const Described& described) const {
  const io::Event& event = index_.events[std::size_t(number)];
  BatchEvent one;
  one.number = number;
  one.source = event.source;
  one.frame = event.frame;
  if (described.reader) one.shot = described.reader->shot(event.frame);
  one.ranges = io::ranges_of(index_, std::size_t(number));
  return one;
}

void EventQueue::note_receiver(int rank, Batch& batch, const Described& described) {
  Receiver& receiver = receivers_[rank];
  if (touch_recent(receiver.sources, described.id)) return;
  batch.sources.push_back(described.info);
  const auto& geometry = described.info->geometry;
  if (!geometry) return;
  if (receiver.geometries.size() <= geometry->id) receiver.geometries.resize(geometry->id + 1);
  if (receiver.geometries[geometry->id]) return;
  receiver.geometries[geometry->id] = true;
  batch.geometries.push_back(geometry);
}

std::optional<Batch> EventQueue::next(int rank, std::int64_t count) {
  while (waiting_.empty() && scan()) {
  }
  if (waiting_.empty()) return std::nullopt;
  Batch batch;
  for (; count > 0 && !waiting_.empty(); --count) {
    const std::int64_t number = waiting_.front();
    const Described* described = nullptr;
    try {
      described = describe(index_.events[std::size_t(number)].source);
    } catch (const LibraryHangs&) {
      // What was taken so far can be processed; the next call says why there is no more.
      if (batch.events.empty()) throw;
    }
    if (described == nullptr) break;
    waiting_.pop_front();
    note_receiver(rank, batch, *described);
    batch.events.push_back(batch_event(number, *described));
  }
  if (batch.events.empty()) return std::nullopt;
  return batch;
}

io::EventIndex EventQueue::waiting_events() const {
  io::EventIndex index;
  index.failed = index_.failed;
  std::vector<std::uint32_t> moved(index_.sources.size());
  for (const bool opens : {true, false})
    for (std::uint32_t i = 0; i < moved.size(); ++i) {
      if (problem(i).empty() != opens) continue;
      moved[i] = static_cast<std::uint32_t>(index.sources.size());
      index.sources.push_back(index_.sources[i]);
    }
  for (const std::int64_t number : waiting_) {
    const io::Event& event = index_.events[std::size_t(number)];
    index.events.push_back({moved[event.source], event.frame});
  }
  return index;
}

io::EventIndex EventQueue::index_to_save() const {
  io::EventIndex index;
  index.failed = index_.failed;
  std::vector<std::uint32_t> moved(index_.sources.size());
  for (std::uint32_t i = 0; i < moved.size(); ++i) {
    if (!problem(i).empty()) continue;
    moved[i] = static_cast<std::uint32_t>(index.sources.size());
    index.sources.push_back(index_.sources[i]);
  }
  for (std::size_t i = 0; i < index_.events.size(); ++i) {
    const io::Event& event = index_.events[i];
    if (!problem(event.source).empty()) continue;
    index.events.push_back({moved[event.source], event.frame});
    io::record_ranges(index, index.events.size() - 1, io::ranges_of(index_, i));
  }
  return index;
}

void EventQueue::put_back(const std::vector<std::int64_t>& numbers) {
  waiting_.insert(waiting_.begin(), numbers.begin(), numbers.end());
}

void EventQueue::learn(const std::vector<BatchReport::Learnt>& learnt) {
  for (const auto& one : learnt)
    io::record_ranges(index_, static_cast<std::size_t>(one.number), one.ranges);
}

} // namespace kilobragg::programs
