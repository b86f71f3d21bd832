// The subcommands of `grimace`, one file each (tools/cmd_<name>.cpp). Each adds its options to the
// app and, when chosen, sets `action`; main runs it and turns exceptions into exit codes:
// 0 done, 1 the run failed, 2 wrong usage or bad input.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace grimace {

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
