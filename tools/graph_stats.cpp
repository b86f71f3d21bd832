#include "tools/graph_stats.h"

#include <map>
#include <set>

#include "backends/backend.h"
#include "ir/capped.h"
#include "ir/op_def.h"
#include "runtime/plan.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

constexpr size_t kStageDepth = 3;

std::vector<std::string> split(const std::string& scope) {
  std::vector<std::string> parts{""};
  for (const char c : scope) {
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

// "blocks.3" -> 6, where ".3" starts; npos when there is no number.
size_t number_at(const std::string& part) {
  const size_t dot = part.find_last_not_of("0123456789");
  return dot != part.npos && part[dot] == '.' && dot + 1 < part.size() ? dot : part.npos;
}

// Collects stages in the order in which their nodes come.
class Stages {
 public:
  void count_macs(const Graph& graph, int64_t batch, int64_t StageStats::*into) {
    std::map<std::string, int64_t> macs;
    for (const Node& node : graph.nodes()) {
      const std::string stage = stage_of(node.scope());
      find(stage);
      int64_t& count = macs[stage];
      count = capped_sum(count, macs_of(node));
      note_block(node.scope());
    }
    for (const auto& [stage, count] : macs) find(stage).*into = count / batch;
  }

  // A parameter belongs where it is first read.
  void count_parameters(const Graph& graph) {
    for (const Value& param : graph.inputs(Role::param)) {
      const bool used = !param.users().empty();
      find(used ? stage_of(param.users()[0]->scope()) : "unused").parameters +=
          param.type().numel();
    }
  }

  std::vector<StageStats> take() {
    std::erase_if(stages_, [](const StageStats& s) {
      return s.parameters == 0 && s.macs == 0 && s.macs_as_built == 0;
    });
    for (StageStats& s : stages_) s.stage = with_block_count(s.stage);
    return std::move(stages_);
  }

 private:
  StageStats& find(const std::string& stage) {
    const auto [place, is_new] = place_of_.try_emplace(stage, stages_.size());
    if (is_new) stages_.push_back({.stage = stage});
    return stages_[place->second];
  }

  void note_block(const std::string& scope) {
    std::string path;
    for (const std::string& part : split(scope)) {
      const size_t dot = number_at(part);
      path += (path.empty() ? "" : "/") + part.substr(0, dot);
      if (dot != part.npos) blocks_[path].insert(part);
    }
  }

  // "encoder/blocks/mlp" -> "encoder/blocks[16]/mlp".
  std::string with_block_count(const std::string& stage) const {
    std::string path, text;
    for (const std::string& part : split(stage)) {
      path += (path.empty() ? "" : "/") + part;
      text += (text.empty() ? "" : "/") + part;
      if (const auto found = blocks_.find(path); found != blocks_.end())
        text += cat("[", found->second.size(), "]");
    }
    return text;
  }

  std::vector<StageStats> stages_;
  std::map<std::string, size_t> place_of_;  // in stages_
  std::map<std::string, std::set<std::string>> blocks_;
};

int64_t batch_of(const Graph& graph) {
  const Value video = graph.find_input("video");
  return video && video.shape().rank() > 0 && video.dim(0) > 0 ? video.dim(0) : 1;
}

// The graph as the backend will run it, and its plan.
void add_memory(const Graph& graph, const std::string& what, std::vector<MemoryStats>& memory) {
  for (const std::string& name : backend_names()) {
    const auto backend = make_backend(name);
    for (const Precision precision : {Precision::f32, Precision::bf16, Precision::f64}) {
      if (!backend->supports(precision)) continue;
      const auto lowered = backend->lower(graph, precision);
      const MemoryPlan plan = plan_memory(*lowered);
      memory.push_back({name, std::string(name_of(precision)), what, plan.persistent_bytes,
                        plan.transient_bytes, plan.lower_bound_bytes});
    }
  }
}

PipelineStats pipeline_stats(Graph& graph, const std::vector<PipelineStep>& steps) {
  PipelineStats stats{.nodes_as_built = node_count(graph), .macs_as_built = total_macs(graph)};
  stats.steps = run_pipeline(graph, steps);
  return stats;
}

}  // namespace

std::string stage_of(const std::string& scope) {
  if (scope.empty()) return "other";
  std::string stage;
  size_t depth = 0;
  for (const std::string& part : split(scope)) {
    if (depth++ == kStageDepth) break;
    stage += (stage.empty() ? "" : "/") + part.substr(0, number_at(part));
  }
  return stage;
}

GraphStats graph_stats(Graph& graph, const std::string& label) {
  GraphStats stats{.model = label, .batch = batch_of(graph)};
  for (const Value& param : graph.inputs(Role::param)) {
    stats.parameters += param.type().numel();
    ++stats.parameter_tensors;
  }
  Stages stages;
  stages.count_macs(graph, stats.batch, &StageStats::macs_as_built);
  stages.count_parameters(graph);
  stats.forward = pipeline_stats(graph, forward_pipeline());
  stages.count_macs(graph, stats.batch, &StageStats::macs);
  stats.stages = stages.take();
  add_memory(graph, "forward", stats.memory);
  return stats;
}

GraphStats model_stats(const Recipe& recipe) {
  const auto forward = forward_graph(recipe, recipe.optim.batch_size, false);
  GraphStats stats = graph_stats(*forward, recipe.model.name);
  const auto step = loss_graph(recipe);
  stats.training = pipeline_stats(*step, training_pipeline(recipe));
  add_memory(*step, "training step", stats.memory);
  return stats;
}

}  // namespace grimace
