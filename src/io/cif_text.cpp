// CIF's grammar, token by token: tags, loops, quoted values and text fields.
#include "kilobragg/io/cif_text.hpp"

#include "kilobragg/core/error.hpp"

#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>

namespace kilobragg::io {
namespace {

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

struct Token {
  std::string_view text;
  bool enclosed = false; ///< by quotes or semicolons, so neither tag nor keyword
  bool is_tag() const { return !enclosed && text.front() == '_'; }
  bool starts(std::string_view keyword) const {
    return !enclosed && text.size() >= keyword.size() &&
           equal_without_case(text.substr(0, keyword.size()), keyword);
  }
  bool is_keyword() const {
    return starts("data_") || starts("save_") || (starts("loop_") && text.size() == 5) ||
           (starts("global_") && text.size() == 7) || (starts("stop_") && text.size() == 5);
  }
  bool is_value() const { return enclosed || !(is_tag() || is_keyword()); }
};

class Tokens {
public:
  Tokens(std::string_view text, const std::string& name)
      : text_(text)
      , name_(name) {
    advance();
  }
  const std::optional<Token>& peek() const { return token_; }
  Token take() {
    const Token token = *token_;
    advance();
    return token;
  }
  [[noreturn]] void wrong(const char* what) const {
    const auto end = text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size()));
    core::fail("{}:{}: {} (the file is no CIF, or cut short)", name_,
               1 + std::count(text_.begin(), end, '\n'), what);
  }

private:
  void skip_blanks_and_comments() {
    while (at_ < text_.size()) {
      if (is_blank(text_[at_]))
        ++at_;
      else if (text_[at_] == '#')
        at_ = std::min(text_.find('\n', at_), text_.size());
      else
        return;
    }
  }
  void advance() {
    skip_blanks_and_comments();
    if (at_ >= text_.size()) {
      token_.reset();
      return;
    }
    const char first = text_[at_];
    const bool line_start = at_ == 0 || text_[at_ - 1] == '\n';
    std::size_t end = at_;
    bool enclosed = true;
    if (first == ';' && line_start) {
      end = text_.find("\n;", at_);
      if (end == std::string_view::npos) wrong("a text field without end");
      end += 2;
    } else if (first == '\'' || first == '"') {
      end = end_of_quoted(first);
    } else {
      enclosed = false;
      while (end < text_.size() && !is_blank(text_[end])) ++end;
    }
    token_ = Token{text_.substr(at_, end - at_), enclosed};
    at_ = end;
  }
  // A quote closes only where a blank follows: 'O5'' is the atom O5'.
  std::size_t end_of_quoted(char quote) const {
    for (std::size_t i = at_ + 1; i < text_.size() && text_[i] != '\n'; ++i)
      if (text_[i] == quote && (i + 1 == text_.size() || is_blank(text_[i + 1]))) return i + 1;
    wrong("a quoted value without end");
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::optional<Token> token_;
};

CifTable read_loop(Tokens& tokens) {
  CifTable table;
  while (tokens.peek() && tokens.peek()->is_tag()) table.tags.emplace_back(tokens.take().text);
  if (table.tags.empty()) tokens.wrong("a loop_ without tags");
  while (tokens.peek() && tokens.peek()->is_value()) table.values.emplace_back(tokens.take().text);
  if (table.values.size() % table.tags.size() != 0) tokens.wrong("a loop_ with an incomplete row");
  return table;
}

void skip_save_frame(Tokens& tokens) {
  while (tokens.peek() && !(tokens.peek()->starts("save_") && tokens.peek()->text.size() == 5))
    tokens.take();
  if (!tokens.peek()) tokens.wrong("a save frame without end");
  tokens.take();
}

} // namespace

int CifTable::column(std::string_view tag) const {
  for (std::size_t i = 0; i < tags.size(); ++i)
    if (equal_without_case(tags[i], tag)) return static_cast<int>(i);
  return -1;
}

const CifTable* CifBlock::find(std::string_view tag) const {
  for (const CifTable& table : tables)
    if (table.column(tag) >= 0) return &table;
  return nullptr;
}

std::string CifBlock::value(std::string_view tag) const {
  const CifTable* table = find(tag);
  if (table == nullptr || table->rows() == 0) return {};
  const std::string& raw = table->values[static_cast<std::size_t>(table->column(tag))];
  return raw == "?" || raw == "." ? std::string() : cif_string(raw);
}

std::vector<CifBlock> parse_cif(std::string_view text, const std::string& name) {
  Tokens tokens(text, name);
  std::vector<CifBlock> blocks;
  while (tokens.peek()) {
    const Token token = tokens.take();
    if (token.starts("data_")) {
      blocks.push_back({std::string(token.text.substr(5)), {}});
      continue;
    }
    if (blocks.empty()) tokens.wrong("something before the first data_ block");
    if (token.starts("save_")) {
      skip_save_frame(tokens);
    } else if (token.starts("loop_") && token.text.size() == 5) {
      blocks.back().tables.push_back(read_loop(tokens));
    } else if (token.is_tag()) {
      if (!tokens.peek() || !tokens.peek()->is_value()) tokens.wrong("a tag without value");
      blocks.back().tables.push_back(
          {{std::string(token.text)}, {std::string(tokens.take().text)}});
    } else {
      tokens.wrong("a value without tag");
    }
  }
  return blocks;
}

std::string cif_string(std::string_view raw) {
  if (raw.size() >= 2 && (raw.front() == '\'' || raw.front() == '"'))
    return std::string(raw.substr(1, raw.size() - 2));
  if (raw.size() >= 3 && raw.front() == ';') return std::string(raw.substr(1, raw.size() - 3));
  return std::string(raw);
}

double cif_number(std::string_view raw) {
  if (!raw.empty() && raw.front() == '+') raw.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  const bool whole = end == raw.data() + raw.size() || *end == '(';
  return error == std::errc() && whole ? value : std::numeric_limits<double>::quiet_NaN();
}

std::string read_possibly_gzipped(const std::string& path) {
  core::require(std::filesystem::is_regular_file(path), "cannot read {} (no such file)", path);
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(::gzopen(path.c_str(), "rb"), &::gzclose);
  core::require(file != nullptr, "cannot read {} (it cannot be opened)", path);
  std::string text;
  std::vector<char> buffer(1U << 20U);
  int count = 0;
  while ((count = ::gzread(file.get(), buffer.data(), static_cast<unsigned>(buffer.size()))) > 0)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  // A truncated archive ends without an error of gzread itself.
  int status = Z_OK;
  const char* message = ::gzerror(file.get(), &status);
  core::require(count == 0 && status == Z_OK, "cannot unpack {} ({})", path,
                message != nullptr && *message != 0 ? message : "it is cut short");
  return text;
}

} // namespace kilobragg::io
