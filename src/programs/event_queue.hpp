// The events of a run on the first rank: found input by input, handed out with all that workers need.
#pragma once

#include "batch_messages.hpp"

#include "kilobragg/io/event_index.hpp"
#include "kilobragg/io/image_reader.hpp"
#include "kilobragg/io/reference_geometry.hpp"
#include "kilobragg/programs/stills_options.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace kilobragg::programs {

/// Images that an earlier run has results of. Inputs that it could not open (io::is_unopened) have
/// records too but no results: they are tried again.
class DoneImages {
public:
  void add(const std::string& path, const std::string& dataset, std::int64_t frame,
           const std::string& content_id);
  bool has(const std::string& path, const std::string& dataset, std::int64_t frame) const;
  /// The record of an input that could not be opened, by the time at which that was tried.
  void add_unopened(double started) { unopened_until_ = std::max(unopened_until_, started); }
  std::int64_t size() const { return count_; }
  /// Images of the data sets in a file.
  std::int64_t in_file(const std::string& path) const;
  /// Latest start of a record of an input that could not be opened; 0 without.
  double unopened_until() const { return unopened_until_; }
  /// Content id that the images of a file had; empty if unknown.
  std::string content_id(const std::string& path, const std::string& dataset) const;

private:
  struct File {
    std::unordered_set<std::int64_t> frames;
    std::string content_id;
  };
  std::unordered_map<std::string, File> files_;           ///< by path and data set
  std::unordered_map<std::string, std::int64_t> in_file_; ///< by path
  std::int64_t count_ = 0;
  double unopened_until_ = 0;
};

/// Scans inputs a file at a time, so that workers can start on the first; reads the metadata of each
/// source once, when its first frame is handed out. No file is opened by anybody else but to read
/// pixels. An input that cannot be opened counts as one event, which fails with the reason.
class EventQueue {
public:
  /// `done`: events to pass over. Throws core::Error if no input is given or a pattern matches nothing.
  EventQueue(const StillsOptions& options, DoneImages done);

  /// Looks at one more input. False if that was the last, or if another thread uses the libraries for
  /// it just now. Throws LibraryHangs if that thread was given up.
  bool scan();
  /// Not all inputs were looked at.
  bool growing() const { return growing_ || looked_at_ < index_.events.size(); }
  /// Events to process that were found so far, those passed over not counted.
  std::int64_t known() const { return static_cast<std::int64_t>(selected_); }
  /// Events that an earlier run has done.
  std::int64_t already_done() const { return already_done_; }
  /// Events found and not handed out.
  std::int64_t available() const;

  /// Up to `count` events for `rank`, with the sources that it does not know. Scans until there are
  /// some. None when there is nothing left, or nothing now (see scan).
  std::optional<Batch> next(int rank, std::int64_t count);
  /// Events that were handed out and not processed: they are handed out again.
  void put_back(const std::vector<std::int64_t>& numbers);
  /// Where events lie.
  void learn(const std::vector<BatchReport::Learnt>& learnt);

  /// Why a source cannot be opened, as far as that is known; empty = it can.
  std::string problem(std::uint32_t source) const;
  /// Every input, once all were looked at: tags, checks.
  const io::EventIndex& index() const { return index_; }
  /// What a later run needs of it: inputs that could not be opened are in its `failed` alone.
  io::EventIndex index_to_save() const;
  /// Looks at all inputs.
  void scan_all();
  /// The events not handed out yet, with all inputs, those that cannot be opened at the end.
  io::EventIndex waiting_events() const;
  /// Throws core::Error unless every input.image_tag was found. Once all inputs were looked at.
  void require_tags() const;

private:
  /// What is read of a source while its frames are handed out.
  struct Described {
    std::uint32_t id = 0;
    std::unique_ptr<io::ImageReader> reader; ///< null with a problem
    std::shared_ptr<const SourceInfo> info;
  };
  /// lookup.mask options for images of one size, packed.
  struct LookupMasks {
    std::string spotfinder, integration, problem;
  };
  using ImageSize = std::pair<std::size_t, std::size_t>; ///< pixels, of which so many are a row
  /// False if the libraries were needed and in use.
  bool take_new_events();
  bool selects(const io::Event& event);
  /// None while another thread uses the libraries.
  std::optional<bool> is_done(const io::Event& event);
  /// Null while another thread uses the libraries.
  Described* describe(std::uint32_t source);
  std::shared_ptr<const SharedGeometry> shared_geometry(const std::string& description,
                                                        const io::ImageReader& reader);
  const LookupMasks& lookup_masks(const models::ImageLayout& layout);
  BatchEvent batch_event(std::int64_t number, const Described& described) const;
  void note_receiver(int rank, Batch& batch, const Described& described);

  const StillsOptions& options_;
  DoneImages done_;
  io::EventIndexBuilder builder_;
  std::optional<io::ReferenceGeometry> reference_;
  io::EventIndex index_;
  std::map<std::uint32_t, std::string> problems_; ///< sources that could not be opened
  std::unordered_set<std::string> tags_, tags_seen_;
  std::size_t looked_at_ = 0;   ///< events of the index that were considered
  std::size_t failed_seen_ = 0; ///< of index_.failed
  std::size_t sampled_ = 0;     ///< events that tags leave, for process_percent
  std::size_t selected_ = 0;
  std::int64_t already_done_ = 0;
  bool growing_ = true;
  std::deque<std::int64_t> waiting_; ///< event numbers to hand out, in order
  std::list<Described> described_;   ///< the last used first
  std::map<ImageSize, LookupMasks> masks_;
  /// By description and the size of images where there are lookup masks.
  std::map<std::pair<ImageSize, std::string_view>, std::shared_ptr<const SharedGeometry>>
      geometries_;
  /// Of the first single image (CBF): the others are not opened here, for header and pixels are one.
  std::shared_ptr<const SharedGeometry> single_geometry_;
  struct Receiver {
    std::vector<std::uint32_t> sources; ///< as BatchReceiver remembers them
    std::vector<bool> geometries;
  };
  std::map<int, Receiver> receivers_;
};

/// Tag of an event: file stem and, where the file has several frames, "_" and the frame counted
/// from 0 in five digits.
std::string event_tag(const std::string& path, bool several_frames, std::int64_t frame);

/// Every event that a run with these options would process, and their inputs, those that cannot be opened at the end. Throws core::Error.
io::EventIndex select_events(const StillsOptions& options);
/// Why a source of such an index cannot be opened; null if it can.
const std::string* failure_of(const io::EventIndex& index, std::uint32_t source);

/// All paths that the options name: positional, globs, lines of the file list. Throws core::Error
/// if there are none.
std::vector<std::string> input_paths(const InputOptions& options);

} // namespace kilobragg::programs
