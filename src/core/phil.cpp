// A tokenizer and a recursive reader for phil.
#include "kilobragg/core/phil.hpp"

#include "kilobragg/core/error.hpp"

#include <algorithm>
#include <cctype>

namespace kilobragg::core {
namespace {

enum class Kind { Word, Quoted, Open, Close, Equals, Break, Semicolon, End };

struct Token {
  Kind kind = Kind::End;
  std::string text;
  int line = 0;
};

class Tokenizer {
public:
  Tokenizer(const std::string& text, const std::string& where)
      : text_(text)
      , where_(where) {}

  /// The next token. In a value `=` belongs to words.
  Token next(bool in_value) {
    skip_blanks();
    if (at_ >= text_.size()) return {Kind::End, "", line_};
    const char c = text_[at_];
    if (c == '\n') return single(Kind::Break, true);
    if (c == ';') return single(Kind::Semicolon, false);
    if (c == '{') return single(Kind::Open, false);
    if (c == '}') return single(Kind::Close, false);
    if (c == '=' && !in_value) return single(Kind::Equals, false);
    if (c == '"' || c == '\'') return quoted(c);
    return word(in_value);
  }

private:
  void skip_blanks() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        if (at_ < text_.size()) --at_; // the break is a token of its own
      } else if (c == '\\' && continues()) {
        at_ = text_.find('\n', at_);
        ++line_;
      } else if (c == '\n' || !std::isspace(static_cast<unsigned char>(c))) {
        return;
      }
    }
  }

  /// Whether nothing but blanks stands between the backslash here and the end of the line.
  bool continues() const {
    const auto end = text_.find_first_not_of(" \t\r", at_ + 1);
    return end != std::string::npos && text_[end] == '\n';
  }

  Token single(Kind kind, bool new_line) {
    Token token{kind, std::string(1, text_[at_++]), line_};
    line_ += new_line;
    return token;
  }

  Token quoted(char mark) {
    std::string fence(1, mark);
    if (text_.compare(at_, 3, std::string(3, mark)) == 0) fence = std::string(3, mark);
    Token token{Kind::Quoted, "", line_};
    at_ += fence.size();
    for (; at_ < text_.size(); ++at_) {
      if (text_.compare(at_, fence.size(), fence) == 0) {
        at_ += fence.size();
        return token;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size() &&
          (text_[at_ + 1] == mark || text_[at_ + 1] == '\\'))
        ++at_;
      line_ += text_[at_] == '\n';
      token.text += text_[at_];
    }
    fail("{}, line {}: a quote is never closed ({} missing)", where_, token.line, fence);
  }

  Token word(bool in_value) {
    Token token{Kind::Word, "", line_};
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (std::isspace(static_cast<unsigned char>(c)) || c == ';' || c == '{' || c == '}' ||
          (c == '=' && !in_value))
        break;
      if (c == '\\' && continues()) break;
      token.text += c;
      ++at_;
    }
    return token;
  }

  const std::string& text_;
  const std::string& where_;
  std::size_t at_ = 0;
  int line_ = 1;
};

class Reader {
public:
  Reader(const std::string& text, const std::string& where)
      : tokenizer_(text, where)
      , where_(where) {
    advance();
  }

  std::vector<PhilAssignment> read() {
    scope("", true, 0);
    return std::move(found_);
  }

private:
  void advance(bool in_value = false) { token_ = tokenizer_.next(in_value); }
  bool is(Kind kind) const { return token_.kind == kind; }
  void skip_breaks() {
    while (is(Kind::Break) || is(Kind::Semicolon)) advance();
  }

  /// Definitions up to the closing brace of the scope opened in line `opened` (0: the whole text).
  void scope(const std::string& path, bool enabled, int opened) {
    for (skip_breaks(); !is(Kind::End) && !is(Kind::Close); skip_breaks())
      definition(path, enabled);
    if (opened > 0) {
      require(is(Kind::Close), "{}, line {}: the scope '{}' is never closed (no '}}' follows)",
              where_, opened, path);
      advance();
    } else {
      require(is(Kind::End), "{}, line {}: '}}' closes nothing (no scope is open here)", where_,
              token_.line);
    }
  }

  void definition(const std::string& path, bool enabled) {
    require(is(Kind::Word), "{}, line {}: '{}' where a name should stand", where_, token_.line,
            token_.text);
    Token name = token_;
    if (name.text.front() == '!') {
      enabled = false;
      name.text.erase(0, 1);
    }
    const bool attribute = !name.text.empty() && name.text.front() == '.';
    advance();
    while (!attribute && is(Kind::Break)) advance(); // "{" may stand on the next line
    if (is(Kind::Open)) {
      const int opened = token_.line;
      advance();
      scope(join(path, name.text), enabled, opened);
      return;
    }
    require(is(Kind::Equals), "{}, line {}: '{}' is followed by neither '=' nor '{{'", where_,
            name.line, name.text);
    advance(true);
    const std::string text = value();
    if (enabled && !attribute) found_.push_back({join(path, name.text), text, name.line});
  }

  /// The words up to the end of the line.
  std::string value() {
    std::string text;
    bool first = true;
    for (; is(Kind::Word) || is(Kind::Quoted); advance(true)) {
      if (!first) text += ' ';
      text += token_.text;
      first = false;
    }
    return text;
  }

  static std::string join(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }

  Tokenizer tokenizer_;
  const std::string& where_;
  Token token_;
  std::vector<PhilAssignment> found_;
};

} // namespace

std::vector<PhilAssignment> parse_phil_text(const std::string& text, const std::string& where) {
  return Reader(text, where).read();
}

std::string quote_phil(const std::string& value) {
  const bool plain = !value.empty() &&
                     value.find_first_of(" \t\n#;{}='\"\\") == std::string::npos &&
                     value != "None" && value != "Auto";
  if (plain) return value;
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

std::string unquote_phil(const std::string& value) {
  const auto first = value.find_first_not_of(" \t"), last = value.find_last_not_of(" \t");
  if (first == std::string::npos) return "";
  std::string text = value.substr(first, last - first + 1);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front())
    return text.substr(1, text.size() - 2);
  return text;
}

} // namespace kilobragg::core
