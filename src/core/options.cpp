// The option set: finding, setting, showing and explaining options.
#include "kilobragg/core/options.hpp"

#include "common_flags.hpp"
#include "option_values.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/nearest_names.hpp"
#include "kilobragg/core/phil.hpp"

#include <algorithm>

namespace kilobragg::core {
namespace {

std::vector<std::string> paths(const std::vector<Option>& options) {
  std::vector<std::string> all;
  all.reserve(options.size());
  for (const auto& option : options) all.push_back(option.path);
  return all;
}

bool ends_with_path(const std::string& path, const std::string& ending) {
  return path.size() > ending.size() && path[path.size() - ending.size() - 1] == '.' &&
         path.compare(path.size() - ending.size(), ending.size(), ending) == 0;
}

std::vector<std::string> scopes_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0, dot; (dot = path.find('.', at)) != std::string::npos; at = dot + 1)
    parts.push_back(path.substr(at, dot - at));
  return parts;
}

/// Text wrapped at blanks to `width`, every line indented.
std::string wrapped(const std::string& text, std::size_t indent, std::size_t width) {
  std::string out, line(indent, ' ');
  for (const auto& word : [&] {
         std::vector<std::string> words;
         for (std::size_t at = 0; (at = text.find_first_not_of(' ', at)) != std::string::npos;) {
           const auto end = std::min(text.find(' ', at), text.size());
           words.push_back(text.substr(at, end - at));
           at = end;
         }
         return words;
       }()) {
    if (line.size() > indent && line.size() + word.size() + 1 > width) {
      out += line + "\n";
      line = std::string(indent, ' ');
    }
    line += (line.size() > indent ? " " : "") + word;
  }
  return line.size() > indent ? out + line + "\n" : out;
}

/// The starred word of "a *b c", or the text itself.
std::string chosen(const std::string& text) {
  const auto star = text.find('*');
  if (star == std::string::npos) return text;
  return text.substr(star + 1, text.find(' ', star) - star - 1);
}

int find_choice(const std::string& text, const std::vector<std::string>& choices) {
  const auto it = std::find(choices.begin(), choices.end(), chosen(text));
  require(it != choices.end(), "one of {} is expected", fmt::join(choices, ", "));
  return static_cast<int>(it - choices.begin());
}

} // namespace

void OptionSet::add(Option option) {
  for (const auto& known : options_)
    require(known.path != option.path, "option '{}' is declared twice", option.path);
  defaults_.push_back(option.show());
  options_.push_back(std::move(option));
}

void OptionSet::add(const std::string& path, bool& target, const std::string& help) {
  add({.path = path,
       .type = "bool",
       .help = help,
       .choices = {},
       .set = [&target](const std::string& text) { target = parse_bool(text); },
       .show = [&target] { return show_bool(target); }});
}

void OptionSet::add(const std::string& path, int& target, const std::string& help) {
  add({.path = path,
       .type = "int",
       .help = help,
       .choices = {},
       .set = [&target](const std::string& text) { target = parse_int(text); },
       .show = [&target] { return std::to_string(target); }});
}

void OptionSet::add(const std::string& path, double& target, const std::string& help) {
  add({.path = path,
       .type = "float",
       .help = help,
       .choices = {},
       .set = [&target](const std::string& text) { target = parse_double(text); },
       .show = [&target] { return show_double(target); }});
}

void OptionSet::add(const std::string& path, std::string& target, const std::string& help) {
  add({.path = path,
       .type = "str",
       .help = help,
       .choices = {},
       .set = [&target](const std::string& text) { target = is_none(text) ? "" : text; },
       .show = [&target] { return target.empty() ? "None" : quote_phil(target); }});
}

void OptionSet::add(const std::string& path, std::optional<double>& target,
                    const std::string& help) {
  add({.path = path,
       .type = "float",
       .help = help,
       .choices = {},
       .set =
           [&target](const std::string& text) {
             target = is_none(text) ? std::nullopt : std::optional(parse_double(text));
           },
       .show = [&target] { return target ? show_double(*target) : "None"; }});
}

void OptionSet::add(const std::string& path, std::optional<int>& target, const std::string& help) {
  add({.path = path,
       .type = "int",
       .help = help,
       .choices = {},
       .set =
           [&target](const std::string& text) {
             target = is_none(text) ? std::nullopt : std::optional(parse_int(text));
           },
       .show = [&target] { return target ? std::to_string(*target) : "None"; }});
}

void OptionSet::add(const std::string& path, std::vector<std::string>& target,
                    const std::string& help) {
  add({.path = path,
       .type = "str",
       .help = help,
       .choices = {},
       .set =
           [&target](const std::string& text) {
             if (!is_none(text)) target.push_back(text);
           },
       .show =
           [&target] {
             std::vector<std::string> quoted;
             quoted.reserve(target.size());
             for (const auto& value : target) quoted.push_back(quote_phil(value));
             return quoted.empty() ? std::string("None")
                                   : fmt::format("{}", fmt::join(quoted, "\n"));
           },
       .multiple = true});
}

void OptionSet::add(const std::string& path, int* first, int count, const std::string& help) {
  add({.path = path,
       .type = fmt::format("ints({})", count),
       .help = help,
       .choices = {},
       .set =
           [first, count](const std::string& text) {
             const auto parts = split_list(text);
             require(parts.size() == std::size_t(count), "{} whole numbers are expected", count);
             std::transform(parts.begin(), parts.end(), first, parse_int);
           },
       .show = [first, count] { return fmt::format("{}", fmt::join(first, first + count, " ")); }});
}

void OptionSet::add_choice(const std::string& path, const std::vector<std::string>& choices,
                           const std::function<void(int)>& set, const std::function<int()>& get,
                           const std::string& help) {
  add({.path = path,
       .type = "choice",
       .help = help,
       .choices = choices,
       .set = [choices, set](const std::string& text) { set(find_choice(text, choices)); },
       .show = [choices, get] { return choices.at(std::size_t(get())); }});
}

void OptionSet::add_flag(const std::string& name, const std::string& path,
                         const std::string& help) {
  require(name.size() > 3 && name.rfind("--", 0) == 0, "'{}' is no flag (as --name)", name);
  const std::string bare = name.substr(2);
  for (const char* common : common_flags) require(bare != common, "flag '{}' is taken", name);
  for (const auto& flag : flags_) require(flag.name != bare, "flag '{}' is taken", name);
  const auto option = std::find_if(options_.begin(), options_.end(),
                                   [&path](const Option& known) { return known.path == path; });
  require(option != options_.end(), "flag '{}' sets an unknown option '{}'", name, path);
  flags_.push_back({bare, path, option->type != "bool", help});
}

void OptionSet::set(const std::string& name, const std::string& value, const std::string& where) {
  std::vector<const Option*> matches;
  for (const auto& option : options_) {
    if (option.path == name) {
      matches = {&option};
      break;
    }
    if (ends_with_path(option.path, name)) matches.push_back(&option);
  }
  if (matches.empty()) {
    const auto near = nearest_names(name, paths(options_));
    if (near.empty()) fail("unknown option '{}' ({}) see --help for all options", name, where);
    fail("unknown option '{}' ({}) did you mean {}?", name, where, fmt::join(near, " or "));
  }
  if (matches.size() > 1) {
    std::vector<std::string> candidates;
    candidates.reserve(matches.size());
    for (const auto* option : matches) candidates.push_back(option->path);
    fail("option '{}' is ambiguous ({}) which of {}?", name, where, fmt::join(candidates, ", "));
  }
  try {
    matches.front()->set(unquote_phil(value));
  } catch (const Error& error) {
    fail("option '{}' cannot be '{}' ({}: {})", matches.front()->path, value, where, error.what());
  }
}

void OptionSet::parse_phil(const std::string& text, const std::string& where) {
  for (const auto& assignment : parse_phil_text(text, where))
    set(assignment.path, assignment.value, fmt::format("{}, line {}", where, assignment.line));
}

std::string OptionSet::to_phil(bool changed_only) const {
  // Scopes open where a path enters them and close where the next path has left them.
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < options_.size(); ++i)
    if (!changed_only || options_[i].show() != defaults_[i]) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return scopes_of(options_[a].path) < scopes_of(options_[b].path);
  });
  std::string text;
  std::vector<std::string> open;
  const auto indent = [&] { return std::string(2 * open.size(), ' '); };
  const auto close_to = [&](std::size_t depth) {
    while (open.size() > depth) {
      open.pop_back();
      text += indent() + "}\n";
    }
  };
  for (const std::size_t i : order) {
    const auto scopes = scopes_of(options_[i].path);
    std::size_t common = 0;
    while (common < open.size() && common < scopes.size() && open[common] == scopes[common])
      ++common;
    close_to(common);
    for (; common < scopes.size(); ++common) {
      text += indent() + scopes[common] + " {\n";
      open.push_back(scopes[common]);
    }
    const std::string name = options_[i].path.substr(options_[i].path.rfind('.') + 1);
    const std::string values = options_[i].show();
    for (std::size_t at = 0; at <= values.size();) {
      const auto end =
          std::min(options_[i].multiple ? values.find('\n', at) : std::string::npos, values.size());
      text += fmt::format("{}{} = {}\n", indent(), name, values.substr(at, end - at));
      at = end + 1;
    }
  }
  close_to(0);
  return text;
}

std::string OptionSet::help() const {
  const auto group_of = [](const Option& option) {
    return option.path.substr(0, option.path.find('.'));
  };
  std::vector<std::string> groups; // in the order in which options first name them
  for (const Option& option : options_)
    if (std::find(groups.begin(), groups.end(), group_of(option)) == groups.end())
      groups.push_back(group_of(option));
  std::string text;
  for (const std::string& group : groups) {
    text += fmt::format("\n{}\n", group);
    for (std::size_t i = 0; i < options_.size(); ++i) {
      const Option& option = options_[i];
      if (group_of(option) != group) continue;
      text +=
          fmt::format("  {} = {}  [{}]\n", option.path, defaults_[i],
                      option.choices.empty() ? option.type
                                             : fmt::format("{}", fmt::join(option.choices, " | ")));
      text += wrapped(option.help, 6, 96);
    }
  }
  return text;
}

std::vector<std::string>
OptionSet::differing_from(const OptionSet& before,
                          const std::function<bool(const std::string&)>& ignored) const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < options_.size(); ++i) {
    const std::string value = options_[i].show(), earlier = before.options_.at(i).show();
    if (value != earlier && !ignored(options_[i].path))
      lines.push_back(fmt::format("{} is {}, was {}", options_[i].path, value, earlier));
  }
  return lines;
}

} // namespace kilobragg::core
