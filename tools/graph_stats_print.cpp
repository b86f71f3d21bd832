// Graph statistics as text for people and as JSON for programs.
#include <nlohmann/json.hpp>

#include "ir/capped.h"
#include "tools/graph_stats.h"
#include "tools/table.h"

namespace grimace {
namespace {

using nlohmann::ordered_json;

std::string giga(int64_t macs) {
  return fixed(static_cast<double>(macs) / 1e9, 3);
}

std::string stages_text(const GraphStats& stats) {
  Table table({"stage", "parameters", "MACs per clip", "after all passes", "share"});
  const double all = static_cast<double>(stats.per_clip(
      stats.forward.steps.empty() ? stats.forward.macs_as_built : stats.forward.steps.back().macs));
  StageStats total{.stage = "total"};
  for (const StageStats& s : stats.stages) {
    const double share = all > 0 ? 100.0 * static_cast<double>(s.macs) / all : 0.0;
    table.row({s.stage, grouped(s.parameters), grouped(s.macs_as_built), grouped(s.macs),
               fixed(share, 1) + " %"});
    total.parameters += s.parameters;
    total.macs_as_built = capped_sum(total.macs_as_built, s.macs_as_built);
    total.macs = capped_sum(total.macs, s.macs);
  }
  table.rule();
  table.row({total.stage, grouped(total.parameters), grouped(total.macs_as_built),
             grouped(total.macs), ""});
  return table.text();
}

std::string pipeline_text(const GraphStats& stats, const PipelineStats& pipeline) {
  Table table({"after", "fired", "ms", "nodes", "MACs per clip", "GMAC"});
  const auto row = [&](const std::string& name, const std::string& fired, const std::string& ms,
                       int64_t nodes, int64_t macs) {
    table.row({name, fired, ms, grouped(nodes), grouped(stats.per_clip(macs)),
               giga(stats.per_clip(macs))});
  };
  row("(as built)", "", "", pipeline.nodes_as_built, pipeline.macs_as_built);
  for (const StepReport& step : pipeline.steps)
    row(step.name, grouped(step.fired), fixed(step.milliseconds, 1), step.nodes_after, step.macs);
  return table.text();
}

std::string memory_text(const GraphStats& stats) {
  Table table({"graph", "backend", "precision", "total", "persistent", "transient", "at least"},
              {0, 1, 2});
  for (const MemoryStats& m : stats.memory)
    table.row({m.graph, m.backend, m.precision, bytes_text(m.persistent + m.transient),
               bytes_text(m.persistent), bytes_text(m.transient), bytes_text(m.lower_bound)});
  return table.text();
}

ordered_json pipeline_json(const GraphStats& stats, const PipelineStats& pipeline) {
  ordered_json passes = ordered_json::array();
  for (const StepReport& step : pipeline.steps)
    passes.push_back({{"pass", step.name},
                      {"fired", step.fired},
                      {"milliseconds", step.milliseconds},
                      {"nodes", step.nodes_after},
                      {"macs_per_clip", stats.per_clip(step.macs)}});
  return {{"as_built",
           {{"nodes", pipeline.nodes_as_built},
            {"macs_per_clip", stats.per_clip(pipeline.macs_as_built)}}},
          {"passes", passes}};
}

}  // namespace

std::string stats_text(const GraphStats& stats) {
  std::string text =
      cat(stats.model, ", batch size ", stats.batch, "\nparameters: ", grouped(stats.parameters),
          " in ", stats.parameter_tensors,
          " tensors\n\nBy stage, forward. MACs are products of matrices, the two of "
          "attention included.\n",
          stages_text(stats), "\nForward graph\n", pipeline_text(stats, stats.forward));
  if (stats.training)
    text += "\nTraining step: forward, backward and optimizer as one graph\n" +
            pipeline_text(stats, *stats.training);
  return text +
         "\nPlanned memory after all passes; \"at least\" is the most that is alive at one time\n" +
         memory_text(stats);
}

std::string stats_json(const GraphStats& stats) {
  ordered_json stages = ordered_json::array();
  for (const StageStats& s : stats.stages)
    stages.push_back({{"stage", s.stage},
                      {"parameters", s.parameters},
                      {"macs_per_clip_as_built", s.macs_as_built},
                      {"macs_per_clip", s.macs}});
  ordered_json memory = ordered_json::array();
  for (const MemoryStats& m : stats.memory)
    memory.push_back({{"graph", m.graph},
                      {"backend", m.backend},
                      {"precision", m.precision},
                      {"total_bytes", m.persistent + m.transient},
                      {"persistent_bytes", m.persistent},
                      {"transient_bytes", m.transient},
                      {"lower_bound_bytes", m.lower_bound}});
  ordered_json json{{"model", stats.model},
                    {"batch_size", stats.batch},
                    {"parameters", stats.parameters},
                    {"parameter_tensors", stats.parameter_tensors},
                    {"stages", stages},
                    {"forward", pipeline_json(stats, stats.forward)}};
  if (stats.training) json["training_step"] = pipeline_json(stats, *stats.training);
  json["memory"] = memory;
  return json.dump(2) + "\n";
}

}  // namespace grimace
