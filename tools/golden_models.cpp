// Golden files of whole models: pre-training, classifier, and optimizer steps.
#include "autodiff/gradients.h"
#include "tools/golden_checker.h"

namespace grimace {
namespace {

// Outputs that carry every gradient, after the forward passes so that the backward is the one that
// training runs.
void add_gradient_outputs(Graph& graph, const std::string& loss) {
  run_passes(graph, forward_passes());
  Builder b(graph);
  const std::vector<Value> params = graph.inputs(Role::param);
  const std::vector<Value> grads = gradients(b, graph.find_output(loss), params);
  for (size_t i = 0; i < params.size(); ++i) b.output("grad." + params[i].name(), grads[i]);
}

}  // namespace

void GoldenChecker::pretrain() {
  check_parameters(pretrain_parameters(config_.model));
  const std::vector<std::string> places = names_with("inter.");
  Graph graph;
  Builder b(graph);
  const PretrainModel model = build_pretrain(b, config_.model, {},
                                             {.batch = config_.batch,
                                              .visible = visible_tokens(),
                                              .training = false,
                                              .with_loss = true,
                                              .with_taps = !places.empty()});
  b.output("output.pred", model.pred);
  b.output("target.labels", model.target);
  b.output("loss", model.loss);
  for (const Tap& tap : model.taps)
    if (file_.contains("inter." + tap.name)) b.output("inter." + tap.name, tap.value);
  add_gradient_outputs(graph, "loss");
  auto executable = compile(graph, training_passes());
  write_inputs(*executable, pretrain_parameters(config_.model));
  executable->run();
  for (const std::string& name : places) {
    check(static_cast<bool>(executable->graph().find_output(name)), file_.path().string(), ": '",
          name, "' names no place of the model");
    add_row(name, executable->read(name), limits_.output);
  }
  for (const char* name : {"target.labels", "output.pred"})
    if (file_.contains(name)) add_row(name, executable->read(name), limits_.output);
  if (file_.contains("loss")) add_row("loss", executable->read("loss").reshaped({1}), limits_.loss);
  compare_all_gradients(*executable);
}

void GoldenChecker::finetune() {
  check_parameters(classifier_parameters(config_.model));
  // One run of the classifier; `gradient` only for the loss that the file differentiates.
  const auto run = [&](const ModelConfig& model, double smoothing, bool gradient) {
    Graph graph;
    Builder b(graph);
    const ClassifierModel m = build_classifier(b, model,
                                               {.batch = config_.batch,
                                                .training = false,
                                                .with_loss = true,
                                                .label_smoothing = smoothing});
    b.output("logits", m.logits);
    b.output("feature", m.feature);
    b.output("loss", m.loss);
    if (gradient) add_gradient_outputs(graph, "loss");
    auto executable = compile(graph, training_passes());
    write_inputs(*executable, classifier_parameters(model));
    executable->run();
    return executable;
  };
  const auto executable = run(config_.model, 0.0, true);
  const auto row = [&](const std::string& name, const std::string& output) {
    if (file_.contains(name)) add_row(name, executable->read(output), limits_.output);
  };
  row("output.feature", "feature");
  row("output.logits", "logits");
  if (file_.contains("loss")) add_row("loss", executable->read("loss").reshaped({1}), limits_.loss);
  compare_all_gradients(*executable);
  const std::pair<const char*, PoolTokens> pools[] = {{"output.logits.region", PoolTokens::region},
                                                      {"output.logits.org", PoolTokens::org},
                                                      {"output.logits.all", PoolTokens::all}};
  for (const auto& [name, pool] : pools) {
    if (!file_.contains(name)) continue;
    ModelConfig model = config_.model;
    model.pool = pool;
    add_row(name, run(model, 0.0, false)->read("logits"), limits_.output);
  }
  for (const std::string& name : names_with("loss."))
    if (const auto smoothing = suffix_value(name, "loss.smoothing_"))
      add_row(name, run(config_.model, *smoothing, false)->read("loss").reshaped({1}),
              limits_.loss);
}

void GoldenChecker::optimizer() {
  check_parameters(pretrain_parameters(config_.model));
  Graph graph;
  Builder b(graph);
  const PretrainModel model =
      build_pretrain(b, config_.model, {}, {.batch = config_.batch, .visible = visible_tokens()});
  graph.add_output("forward_loss", model.loss);
  run_passes(graph, forward_passes());
  const Value forward_loss = graph.find_output("forward_loss");
  graph.clear_outputs();
  std::map<std::string, ParamRule> rules;
  for (const Value& param : graph.inputs(Role::param))
    rules[param.name()] = {!config_.no_weight_decay.contains(param.name()), 1.0};
  add_train_step(b, forward_loss, rules, config_.optimizer);
  auto executable = compile(graph, training_passes());
  write_inputs(*executable, pretrain_parameters(config_.model));
  const Tensor rates = take("optim.learning_rates").cast(DType::f64);
  const Tensor decays = take("optim.weight_decays").cast(DType::f64);
  const int64_t steps = rates.numel();
  check(decays.numel() == steps && steps <= 10000, file_.path().string(),
        ": optim.learning_rates and optim.weight_decays must have one value per step");
  Tensor losses(DType::f64, {steps});
  Tensor norms(DType::f64, {steps});
  for (size_t i = 0; i < static_cast<size_t>(steps); ++i) {
    const auto scalar = [&](const Tensor& values) {
      return Tensor::from<double>({}, values.as<double>().subspan(i, 1));
    };
    executable->write("lr", scalar(rates).view());
    executable->write("weight_decay", scalar(decays).view());
    executable->run();
    losses.as<double>()[i] = executable->read_scalar("loss");
    norms.as<double>()[i] = executable->read_scalar("grad_norm");
  }
  // Adam turns tiny gradient noise into steps of up to the learning rate, so f32 is given more.
  const double limit = options_.precision == Precision::f64 ? limits_.loss : 1e-5;
  add_row("optim.losses", losses, limit);
  add_row("optim.grad_norms", norms, limit);
  for (const std::string& name : names_with("final.")) {
    const Tensor computed = executable->read(name.substr(std::string("final.").size()));
    const Difference d = difference(name, take(name).view(), computed.view());
    report_.rows.push_back({name, d.largest, limits_.parameter, "largest"});
  }
}

}  // namespace grimace
