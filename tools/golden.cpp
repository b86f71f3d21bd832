#include "tools/golden.h"

#include <algorithm>

#include "tools/golden_checker.h"

namespace grimace {

bool GoldenReport::ok() const {
  return !rows.empty() && std::ranges::all_of(rows, &GoldenRow::ok);
}

GoldenReport check_golden(const SafetensorsFile& file, Backend& backend,
                          const CompileOptions& options) {
  return GoldenChecker(file, backend, options).run();
}

GoldenChecker::GoldenChecker(const SafetensorsFile& file, Backend& backend,
                             const CompileOptions& options)
    : file_(file),
      backend_(backend),
      options_(options),
      config_(read_golden_config(file)),
      limits_(golden_limits(options.precision, config_.kind)),
      remaining_(file.names().begin(), file.names().end()) {
  report_.kind = config_.kind;
  const bool rounds = options.precision == Precision::bf16 || options.precision == Precision::tf32;
  if (rounds && (config_.kind == "targets" || config_.kind == "optimizer"))
    report_.skipped = cat("kind ", config_.kind, " is for f32 and f64 only");
}

GoldenReport GoldenChecker::run() {
  if (!report_.skipped.empty()) return std::move(report_);
  if (config_.kind == "pretrain") pretrain();
  if (config_.kind == "finetune") finetune();
  if (config_.kind == "targets") targets();
  if (config_.kind == "optimizer") optimizer();
  constant_tables();
  check(remaining_.empty(), file_.path().string(), ": tensor '",
        remaining_.empty() ? "" : *remaining_.begin(), "' is not known in a file of kind ",
        config_.kind);
  check(!report_.rows.empty(), file_.path().string(), ": holds nothing to compare");
  return std::move(report_);
}

Tensor GoldenChecker::take(const std::string& name) {
  remaining_.erase(name);
  return file_.tensor(name);
}

std::vector<std::string> GoldenChecker::names_with(const std::string& prefix) const {
  std::vector<std::string> result;
  for (const std::string& name : file_.names())
    if (name.starts_with(prefix)) result.push_back(name);
  return result;
}

void GoldenChecker::check_parameters(const std::vector<ParamSpec>& specs) const {
  for (const ParamSpec& spec : specs) {
    const Shape& shape = file_.type("param." + spec.name).shape;
    check(shape == spec.shape, file_.path().string(), ": 'param.", spec.name, "' is ", shape,
          "; the model has ", spec.shape);
  }
}

void GoldenChecker::write_inputs(Executable& executable, const std::vector<ParamSpec>& specs) {
  for (const ParamSpec& spec : specs) {
    const Tensor value = take("param." + spec.name);
    if (spec.alias_of.empty()) executable.write(spec.name, value.view());
  }
  for (const Value& input : executable.graph().inputs(Role::input))
    if (const std::string name = "input." + input.name(); file_.contains(name))
      executable.write(input.name(), take(name).view());
}

std::unique_ptr<Executable> GoldenChecker::compile(Graph& graph, std::span<const Pass> passes) {
  run_passes(graph, passes);
  auto executable = backend_.compile(graph, options_);
  report_.backend = executable->info().backend;
  report_.slow_nodes = executable->info().slow_nodes;
  return executable;
}

void GoldenChecker::add_row(const std::string& name, const Tensor& computed, double limit) {
  report_.rows.push_back(compare(name, take(name).view(), computed.view(), limit));
}

void GoldenChecker::compare_all_gradients(const Executable& executable) {
  std::vector<NamedPair> pairs;
  for (const std::string& name : names_with("grad.")) {
    check(static_cast<bool>(executable.graph().find_output(name)), file_.path().string(), ": '",
          name, "' is the gradient of no parameter of the model");
    pairs.push_back({name, take(name), executable.read(name)});
  }
  for (GoldenRow& row : compare_gradients(pairs, limits_)) report_.rows.push_back(std::move(row));
}

void GoldenChecker::constant_tables() {
  for (const std::string& name : names_with("const.")) {
    const Shape shape = file_.type(name).shape;
    check(name.ends_with("pos_embed") && shape.rank() == 2, file_.path().string(), ": '", name,
          "' ", shape, " is not a known constant");
    Graph graph;
    Builder b(graph);
    b.output("table", b.position_table(shape[0], shape[1]));
    auto executable = compile(graph, {});
    executable->run();
    add_row(name, executable->read("table"), limits_.constant);
  }
}

int64_t GoldenChecker::visible_tokens() const {
  const Tensor mask = file_.tensor("input.mask");
  const TensorType wanted{DType::u8, {config_.batch, config_.model.tokens()}};
  check(mask.type() == wanted, file_.path().string(), ": 'input.mask' is ", mask.type(),
        "; the model wants ", wanted);
  const auto first = mask.as<uint8_t>().first(static_cast<size_t>(config_.model.tokens()));
  return std::count(first.begin(), first.end(), 0);
}

}  // namespace grimace
