// A strict reading of HTML for tests: tags balance, attributes are quoted, nothing lies outside.
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <vector>

namespace kilobragg::testing {

/// The first fault of a document, or nothing.
class HtmlCheck {
public:
  explicit HtmlCheck(const std::string& text)
      : text_(text) {}

  std::string fault() {
    while (fault_.empty() && at_ < text_.size()) {
      if (text_[at_] == '<')
        tag();
      else if (text_[at_] == '&')
        entity();
      else
        ++at_;
    }
    if (fault_.empty() && !open_.empty()) fault_ = "not closed: " + open_.back();
    return fault_;
  }

  /// Values of href and src.
  const std::vector<std::string>& addresses() const { return addresses_; }
  const std::set<std::string>& ids() const { return ids_; }

private:
  void fail(const std::string& why) {
    fault_ = why + " at: " + text_.substr(at_ > 40 ? at_ - 40 : 0, 120);
  }
  void entity() {
    const auto end = text_.find(';', at_);
    if (end == std::string::npos || end - at_ > 8) return fail("a bare &");
    at_ = end + 1;
  }
  std::string name() {
    std::string word;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '-'))
      word += text_[at_++];
    return word;
  }
  void tag() {
    if (text_.compare(at_, 9, "<!DOCTYPE") == 0) {
      at_ = text_.find('>', at_) + 1;
      return;
    }
    ++at_;
    const bool closes = text_[at_] == '/';
    if (closes) ++at_;
    const std::string element = name();
    if (element.empty()) return fail("a bare <");
    if (closes) {
      if (open_.empty() || open_.back() != element)
        return fail("</" + element + "> closes nothing");
      open_.pop_back();
      if (text_[at_++] != '>') fail("no > after </" + element);
      return;
    }
    attributes(element);
  }
  void attributes(const std::string& element) {
    static const std::set<std::string> empty{"meta", "link", "input", "br", "img", "hr"};
    while (fault_.empty() && at_ < text_.size()) {
      if (text_[at_] == ' ') {
        ++at_;
      } else if (text_[at_] == '>') {
        ++at_;
        if (element == "style") at_ = text_.find("</style>", at_);
        if (empty.count(element) == 0) open_.push_back(element);
        return;
      } else if (text_.compare(at_, 2, "/>") == 0) {
        at_ += 2;
        return;
      } else {
        attribute();
      }
    }
  }
  void attribute() {
    const std::string key = name();
    if (key.empty()) return fail("no attribute");
    if (text_[at_] != '=') return;
    if (text_[++at_] != '"') return fail("no quote");
    const auto end = text_.find('"', at_ + 1);
    if (end == std::string::npos) return fail("no closing quote");
    const std::string value = text_.substr(at_ + 1, end - at_ - 1);
    if (value.find('<') != std::string::npos) return fail("< in an attribute");
    if (key == "href" || key == "src") addresses_.push_back(value);
    if (key == "id" && !ids_.insert(value).second) return fail("id twice");
    at_ = end + 1;
  }

  const std::string& text_;
  std::size_t at_ = 0;
  std::string fault_;
  std::vector<std::string> open_, addresses_;
  std::set<std::string> ids_;
};

} // namespace kilobragg::testing
