// The subcommands of `grimace`, one file each (tools/cmd_<name>.cpp). Each adds its options to the
// app and, when chosen, sets `action`; main runs it and turns exceptions into exit codes.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace grimace {

enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kWrongUsage = 2,     // or bad input
  kInterrupted = 130,  // by Ctrl-C, as shells say it
};

using Action = std::function<int()>;  // returns the exit code

void add_pretrain(CLI::App& app, Action& action);
void add_finetune(CLI::App& app, Action& action);
void add_evaluate(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_embed(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_reconstruct(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_graph(CLI::App& app, Action& action);
void add_synth(CLI::App& app, Action& action);
void add_data(CLI::App& app, Action& action);
void add_data_prepare(CLI::App& data, Action& action);  // a subcommand of data
void add_bench(CLI::App& app, Action& action);
void add_convert(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);

}  // namespace grimace
