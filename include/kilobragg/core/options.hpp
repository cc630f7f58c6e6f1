// Program options by phil path: key=value, .phil files and --config, checked and documented.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kilobragg::core {

/// One option: its phil path, how to set it from text, how to show it, and its help.
struct Option {
  std::string path; ///< "spotfinder.threshold.dispersion.gain"
  std::string type; ///< "float", "int", "bool", "choice", "path", "unit_cell", ... for the help
  std::string help;
  std::vector<std::string> choices;            ///< for type choice
  std::function<void(const std::string&)> set; ///< throws core::Error on a value of the wrong kind
  std::function<std::string()> show;           ///< current value as phil text, "None" if unset
  bool multiple = false;                       ///< given several times, values add up
};

/// A flag that stands for an option on the command line, as `--map old=new` for input.map.
struct Flag {
  std::string name;         ///< without the dashes: "map"
  std::string option;       ///< full path of the option
  bool takes_value = false; ///< false: the option is a bool and becomes True
  std::string help;
};

/// The options of one program, bound to the fields of its parameter structs.
class OptionSet {
public:
  void add(const std::string& path, bool& target, const std::string& help);
  void add(const std::string& path, int& target, const std::string& help);
  void add(const std::string& path, double& target, const std::string& help);
  void add(const std::string& path, std::string& target, const std::string& help);
  void add(const std::string& path, std::optional<double>& target, const std::string& help);
  void add(const std::string& path, std::optional<int>& target, const std::string& help);
  void add(const std::string& path, std::vector<std::string>& target, const std::string& help);
  /// A list of ints of fixed length, as kernel_size=3,3.
  void add(const std::string& path, int* first, int count, const std::string& help);
  /// One of `choices`, the position of which is passed to `set`.
  void add_choice(const std::string& path, const std::vector<std::string>& choices,
                  const std::function<void(int)>& set, const std::function<int()>& get,
                  const std::string& help);
  /// Any other kind: cells, space groups, ranges.
  void add(Option option);
  /// Lets the command line set the option `path`, declared before, by the flag `name` ("--map"). The
  /// flag of a bool takes no value; others take the next word, or what follows `=`, and come several
  /// times where the option does. Throws core::Error for a name that is taken or no flag.
  void add_flag(const std::string& name, const std::string& path, const std::string& help);

  /// Sets one option. `name` is a full path or an unambiguous ending of one ("d_min" is refused if
  /// several options end so, with the candidates listed). Throws core::Error with the nearest names.
  void set(const std::string& name, const std::string& value, const std::string& where);
  /// Reads phil text: nested scopes, `a.b = c`, comments, quotes, `\` continuations.
  void parse_phil(const std::string& text, const std::string& where);
  /// All options with current values as phil; with `changed_only`, those that differ from defaults.
  std::string to_phil(bool changed_only = false) const;
  /// Lines "name is X, was Y" for options whose values differ from those of `before`, a set of the same
  /// program; `ignored` tells paths that do not matter.
  std::vector<std::string>
  differing_from(const OptionSet& before,
                 const std::function<bool(const std::string&)>& ignored) const;
  /// The reference part of --help.
  std::string help() const;
  const std::vector<Option>& options() const { return options_; }
  const std::vector<Flag>& flags() const { return flags_; }

private:
  std::vector<Option> options_;
  std::vector<Flag> flags_;
  std::vector<std::string> defaults_;
};

/// What a command line asks for besides options.
struct CommandLine {
  std::vector<std::string> inputs; ///< positional arguments that are neither phil nor key=value
  bool help = false, version = false, show_config = false;
  std::string log_level = "info"; ///< --log-level, or -v = debug, -q = warning
};

/// Reads a command line: key=value, *.phil, --config FILE, --help/-h, --version, --show-config (-c),
/// --log-level, -v, -q and the flags of `options`; the rest are inputs. Files of options are read first,
/// in order, then the key=value arguments, then the flags, so that these win wherever they stand.
/// Throws core::Error.
CommandLine parse_command_line(int argc, const char* const* argv, OptionSet& options);

/// The flags with their help, those of `options` after the common ones, for --help.
std::string flag_help(const OptionSet& options);

} // namespace kilobragg::core
