// grimace verify: a golden file, or several, against a backend.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "runtime/log.h"
#include "tools/commands.h"
#include "tools/golden.h"
#include "tools/run_on.h"

namespace grimace {
namespace {

struct Options {
  std::vector<std::string> files;
  RunOn on = {};
  bool json = false;
};

void print_table(const std::string& path, const GoldenReport& report) {
  const std::string file = printable(path);
  if (!report.skipped.empty()) {
    std::printf("%s: SKIPPED, %s\n\n", file.c_str(), report.skipped.c_str());
    return;
  }
  size_t width = 6;
  size_t failed = 0;
  for (const GoldenRow& row : report.rows) {
    width = std::max(width, row.tensor.size());
    failed += row.ok() ? 0 : 1;
  }
  std::printf("%s: %s on %s\n", file.c_str(), report.kind.c_str(), report.backend.c_str());
  const int w = static_cast<int>(std::min<size_t>(width, 100));
  std::printf("%-*s  %10s  %10s  %-9s  %s\n", w, "tensor", "error", "limit", "measure", "ok");
  for (const GoldenRow& row : report.rows)
    std::printf("%-*s  %10.2e  %10.2e  %-9s  %s\n", w, printable(row.tensor).c_str(), row.error,
                row.limit, row.measure.c_str(), row.ok() ? "yes" : "NO");
  for (const std::string& node : report.slow_nodes)
    std::printf("without a fast kernel: %s\n", printable(node).c_str());
  std::printf("%s: %s, %zu of %zu tensors within their limits\n\n", file.c_str(),
              failed == 0 ? "PASS" : "FAIL", report.rows.size() - failed, report.rows.size());
}

nlohmann::json to_json(const std::string& file, const GoldenReport& report) {
  if (!report.skipped.empty())
    return {{"file", file}, {"kind", report.kind}, {"skipped", report.skipped}};
  nlohmann::json rows = nlohmann::json::array();
  for (const GoldenRow& row : report.rows)
    rows.push_back({{"tensor", row.tensor},
                    {"error", row.error},
                    {"limit", row.limit},
                    {"measure", row.measure},
                    {"ok", row.ok()}});
  return {{"file", file},      {"kind", report.kind},
          {"ok", report.ok()}, {"backend", report.backend},
          {"rows", rows},      {"slow_nodes", report.slow_nodes}};
}

int run(const Options& options) {
  auto backend = make_backend(options.on.backend);
  const CompileOptions compile = options.on.options();
  nlohmann::json all = nlohmann::json::array();
  bool ok = true, any = false;
  for (const std::string& path : options.files) {
    const SafetensorsFile file(path);
    const GoldenReport report = check_golden(file, *backend, compile);
    ok = ok && (report.ok() || !report.skipped.empty());
    any = any || report.skipped.empty();
    if (options.json)
      all.push_back(to_json(path, report));
    else
      print_table(path, report);
  }
  if (options.json) {
    const auto replace = nlohmann::json::error_handler_t::replace;  // bytes of a file's name
    std::printf("%s\n", (all.size() == 1 ? all[0] : all).dump(2, ' ', false, replace).c_str());
  }
  check(any, "no file was checked: each is of a kind that this precision does not have");
  return ok ? kDone : kFailed;
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("verify", "Check a backend against golden files, tensor by tensor");
  command->add_option("files", options->files, "golden .safetensors files")->required();
  add_run_on(*command, options->on);
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace grimace
