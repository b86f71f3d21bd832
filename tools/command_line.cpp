#include "tools/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <new>

#include "ir/error.h"
#include "runtime/log.h"
#include "tools/commands.h"
#include "tools/suggest.h"

namespace grimace {
namespace {

int fail(int code, const std::string& message) {
  end_status();
  std::fflush(stdout);
  std::fprintf(stderr, "grimace: error: %s\n", printable(message).c_str());
  return code;
}

// A word where a command belongs, but that is none: "unknown command ...".
void check_commands(const CLI::App& app, int argc, const char* const* argv) {
  const CLI::App* current = &app;
  std::string path;
  for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
    const CLI::App* next = nullptr;
    std::vector<std::string> known;
    for (const CLI::App* command : current->get_subcommands({})) {
      known.push_back(command->get_name());
      if (known.back() == argv[i]) next = command;
    }
    if (known.empty()) return;
    if (next == nullptr) {
      const std::string near = suggestion(argv[i], known);
      const std::string hint =
          near.empty() ? "see grimace" + path + " --help" : "did you mean \"" + near + "\"?";
      throw Error(cat("unknown command \"", path.empty() ? "" : path.substr(1) + " ",
                      std::string_view(argv[i]).substr(0, 100), "\"; ", hint));
    }
    path += " " + next->get_name();
    current = next;
  }
}

// The innermost command that was given.
const CLI::App& innermost(const CLI::App& app) {
  const auto given = app.get_subcommands();
  return given.empty() ? app : innermost(*given.front());
}

// "grimace graph stats"
std::string command_path(const CLI::App& app) {
  const auto given = app.get_subcommands();
  return app.get_name() + (given.empty() ? "" : " " + command_path(*given.front()));
}

// What the command does not know: an option with the nearest known one, or a word too many.
std::string unexpected(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining(true);
  const auto is_option = [](const std::string& word) { return word.starts_with("-"); };
  const auto found = std::ranges::find_if(extras, is_option);
  if (found == extras.end())
    return "unexpected argument \"" + (extras.empty() ? "" : extras.front()) + "\"";
  std::vector<std::string> known;
  for (const CLI::Option* option : innermost(app).get_options({}))
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  const std::string near = suggestion(*found, known);
  return "unknown option \"" + *found + "\"" +
         (near.empty() ? "" : "; did you mean \"" + near + "\"?");
}

// An option with too few or too many values; CLI11's message starts with its name.
std::string wrong_count(const CLI::App& app, const std::string& message) {
  const std::string name = message.substr(0, message.find(':'));
  const CLI::Option* option = innermost(app).get_option_no_throw(name);
  if (option == nullptr) return message;
  const auto given = static_cast<int>(option->count());
  const int most = option->get_items_expected_max();
  if (given <= most) return name + " needs a value";
  if (most == 1) return cat(name, " is given ", given, " times; give it once");
  return cat(name, " takes at most ", most, " values; got ", given);
}

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

void describe(CLI::App& app) {
  app.name("grimace");
  app.set_version_flag("--version", "grimace " GRIMACE_VERSION, "print the version");
  app.require_subcommand(1);
  app.get_formatter()->column_width(28);
}

// After the commands are there: they would inherit it.
void add_footer(CLI::App& app) {
  app.footer(
      cat("grimace COMMAND --help says more about each.\n\n"
          "First steps:\n"
          "  grimace doctor                                        is this machine ready?\n"
          "  grimace synth --out clips --clips 200                 face clips to play with\n"
          "  grimace pretrain --data clips/clips.csv --out run \\\n"
          "          --config recipes/pretrain-demo.toml           learn from them\n"
          "  grimace reconstruct --help                            see what was learnt\n"
          "  grimace finetune --help                               recognise expressions\n\n"
          "Exit codes: ",
          kDone, " done, ", kFailed, " the run failed, ", kWrongUsage,
          " wrong usage or bad input, ", kInterrupted, " stopped by Ctrl-C."));
}

int parse_and_run(CLI::App& app, Action& action, int argc, const char* const* argv) {
  if (argc < 2) {
    std::fputs(app.help().c_str(), stdout);
    return kWrongUsage;
  }
  check_commands(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help or --version
    app.exit(asked);
    return kDone;
  } catch (const CLI::ExtrasError&) {
    return fail(kWrongUsage, unexpected(app) + " (see " + command_path(app) + " --help)");
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string reason = wrong_count(app, one_line(error.what()));
    return fail(kWrongUsage, reason + " (see " + command_path(app) + " --help)");
  } catch (const CLI::ParseError& error) {
    return fail(kWrongUsage, one_line(error.what()) + " (see " + command_path(app) + " --help)");
  }
  const int code = action();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw RunError("cannot write to the standard output; is the disk full?");
  return code;
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  try {
    CLI::App app(
        "MAE-DFER, a masked video autoencoder for facial expressions: pre-trains, fine-tunes, "
        "tests.");
    Action action;
    describe(app);
    for (const auto add : {add_pretrain, add_finetune, add_evaluate, add_predict, add_embed,
                           add_report, add_reconstruct, add_verify, add_graph, add_synth, add_data,
                           add_convert, add_bench, add_doctor})
      add(app, action);
    add_footer(app);
    return parse_and_run(app, action, argc, argv);
  } catch (const Error& error) {
    return fail(kWrongUsage, error.what());
  } catch (const std::bad_alloc&) {
    return fail(kFailed, "out of memory; a smaller --batch-size needs less");
  } catch (const std::exception& error) {  // RunError and InternalError say what they are
    return fail(kFailed, error.what());
  }
}

}  // namespace grimace
