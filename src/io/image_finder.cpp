// Candidates for the place of a moved image, and the choice among them by content id.
#include "kilobragg/io/image_finder.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>

namespace kilobragg::io {
namespace {

namespace fs = std::filesystem;

/// Absolute, without "." and "..", and without a slash at the end.
fs::path normal(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// `path` with `to` in place of its first components `from`; empty if it does not begin so.
fs::path replace_prefix(const fs::path& path, const fs::path& from, const fs::path& to) {
  const auto [in_from, in_path] = std::mismatch(from.begin(), from.end(), path.begin(), path.end());
  if (in_from != from.end()) return {};
  fs::path replaced = to;
  for (auto part = in_path; part != path.end(); ++part) replaced /= *part;
  return replaced;
}

class Candidates {
public:
  void add(const fs::path& path) {
    if (path.empty()) return;
    std::string text = path.lexically_normal().string();
    if (std::find(paths.begin(), paths.end(), text) == paths.end())
      paths.push_back(std::move(text));
  }
  std::vector<std::string> paths;
};

/// Ends of `path` below `folder`, the longest first.
void add_ends(const fs::path& folder, const fs::path& path, Candidates& candidates) {
  std::vector<fs::path> ends;
  fs::path end;
  const fs::path relative = path.relative_path();
  for (auto part = relative.end(); part != relative.begin();) {
    end = *--part / end;
    // Joining with nothing leaves a slash behind the file's name.
    ends.push_back(end.has_filename() ? end : end.parent_path());
  }
  for (auto it = ends.rbegin(); it != ends.rend(); ++it) candidates.add(folder / *it);
}

/// A candidate that can be read, with its content id where the pointer has one to compare.
struct Opened {
  std::unique_ptr<ImageReader> reader;
  std::string content_id;
};

Opened open_candidate(const std::string& path, const std::string& dataset, bool identify) {
  Opened opened{open_images(path, dataset), ""};
  if (identify) opened.content_id = opened.reader->content_id();
  return opened;
}

std::string describe(const ImagePointer& pointer, const std::string& path) {
  std::string text = path;
  if (!pointer.content_id.empty()) text += fmt::format(" (content id {})", pointer.content_id);
  return text;
}

} // namespace

std::pair<std::string, std::string> parse_path_map(const std::string& text) {
  const auto equals = text.find('=');
  core::require(equals != std::string::npos && equals > 0 && equals + 1 < text.size(),
                "'{}' is no map of paths write it as old=new", text);
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::vector<std::string> image_candidates(const ImagePointer& pointer, const ImageSearch& search) {
  const fs::path written = normal(fs::absolute(pointer.list).parent_path() / pointer.written);
  const fs::path absolute = pointer.absolute.empty() ? fs::path() : normal(pointer.absolute);
  Candidates candidates;
  for (const auto& [from, to] : search.maps)
    for (const fs::path& path : {absolute, written})
      candidates.add(replace_prefix(path, normal(from), normal(to)));
  candidates.add(written);
  candidates.add(absolute);
  for (const std::string& folder : search.folders)
    add_ends(normal(folder), absolute.empty() ? written : absolute, candidates);
  return candidates.paths;
}

std::string likely_image(const ImagePointer& pointer, const ImageSearch& search) {
  // Most images are where the .expt says.
  const fs::path written = normal(fs::absolute(pointer.list).parent_path() / pointer.written);
  if (search.maps.empty() && exists(written.string())) return written.string();
  const auto candidates = image_candidates(pointer, search);
  const auto there = std::find_if(candidates.begin(), candidates.end(), exists);
  return there == candidates.end() ? written.string() : *there;
}

std::unique_ptr<ImageReader> open_image(const ImagePointer& pointer, const ImageSearch& search,
                                        const std::string& dataset, std::string* path) {
  const auto candidates = image_candidates(pointer, search);
  std::string others;
  std::exception_ptr unreadable; // of the first that is there but cannot be read
  for (const std::string& candidate : candidates) {
    if (!exists(candidate)) continue;
    try {
      Opened opened = open_candidate(candidate, dataset, !pointer.content_id.empty());
      if (opened.content_id == pointer.content_id) {
        if (path) *path = candidate;
        return std::move(opened.reader);
      }
      others += fmt::format("{}{} (content id {})", others.empty() ? "" : ", ", candidate,
                            opened.content_id);
    } catch (const core::Error&) {
      if (!unreadable) unreadable = std::current_exception();
    }
  }
  if (others.empty() && unreadable) std::rethrow_exception(unreadable);
  const std::string wanted =
      describe(pointer, pointer.absolute.empty() ? pointer.written : pointer.absolute);
  core::require(others.empty(),
                "{} points at {}, but found {} (not the same images) give the right place by --map "
                "old=new or input.search_path?",
                pointer.list, wanted, others);
  core::fail("{} points at {}, which is not there (looked for {}) was it moved? give --map old=new "
             "or input.search_path",
             pointer.list, wanted, fmt::join(candidates, ", "));
}

} // namespace kilobragg::io
