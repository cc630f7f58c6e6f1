// What a dry run has to say: what would be done, what looks odd, what would go wrong.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

namespace kilobragg::programs {

/// Texts of a dry run. Doubts and problems read "problem (why) suggestion?".
struct CheckReport {
  struct Section {
    std::string title;
    std::vector<std::string> lines;
  };
  std::vector<Section> sections;
  std::vector<std::string> doubts;   ///< the run would go on, perhaps in vain
  std::vector<std::string> problems; ///< the run would not start, or lose images

  void section(const std::string& title) { sections.push_back({title, {}}); }
  template <typename... Args>
  void line(fmt::format_string<Args...> text, Args&&... args) {
    sections.back().lines.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void doubt(fmt::format_string<Args...> text, Args&&... args) {
    doubts.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void problem(fmt::format_string<Args...> text, Args&&... args) {
    problems.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
};

} // namespace kilobragg::programs
