// Computes values again where they are next read, instead of keeping them over the moment when most
// memory is taken: the cheapest per byte first, until the plan fits a budget.
//
//   h = gelu(x) ; ... most is alive here ... ; use(h)
//   -> h = gelu(x) ; ... most is alive here ... ; h' = gelu(x) ; use(h')
//
// Ops are pure (random ones count, they do not draw), so h' equals h bit for bit. Runs last: common
// subexpressions are what it makes.
#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/op_def.h"
#include "ir/passes/passes.h"
#include "ir/passes/rewrite.h"

namespace grimace {
namespace {

// How many FLOPs take the time of moving one byte, roughly, on processors of today.
constexpr double kFlopsPerByte = 16.0;
// Nodes that one value may need computed again, on the longest way to what is still there.
constexpr int kDeepest = 6;
constexpr int kRounds = 200;
constexpr int kHalvings = 6;
constexpr std::string_view kAgain = "again/";  // scope of what was computed again, however often
constexpr double kAnyCost = std::numeric_limits<double>::infinity();

double cost_of(const Node& node) {
  if (is_view(node)) return 0.0;
  return static_cast<double>(bytes_of(node)) + static_cast<double>(flops_of(node)) / kFlopsPerByte;
}

class Rematerialiser {
 public:
  explicit Rematerialiser(Graph& graph) : graph_(graph) { number(); }

  // Frees `excess` bytes at the peak, or what can be freed. Returns how many values it did.
  int relieve(const MemoryPeak& peak, int64_t excess) {
    std::multimap<double, Value> candidates;
    for (const Value& value : peak.alive) {
      const auto cost = price(value, at_now(peak));
      if (cost) candidates.emplace(*cost / static_cast<double>(value.type().bytes()), value);
    }
    int fired = 0;
    for (const auto& [cost, value] : candidates) {
      if (excess <= 0) break;
      // Others that went before may have left it without what it is made of.
      if (!price(value, at_now(peak))) continue;
      compute_again(value, at_now(peak));
      excess -= value.type().bytes();
      ++fired;
    }
    return fired;
  }

 private:
  struct Uses {
    Node* first_late = nullptr;  // the first use after the moment
    bool now = false;            // used at the moment itself
    bool output = false;
  };

  // In the order of the graph. What is made before a node lies half a place before it, until all is
  // numbered anew: among nodes of one place nothing tells which comes first.
  void number() {
    position_.clear();
    for (const Node& node : graph_.nodes())
      position_.emplace(&node, static_cast<double>(position_.size()));
  }

  double at_now(const MemoryPeak& peak) const {
    return peak.node == nullptr ? static_cast<double>(position_.size()) : position_.at(peak.node);
  }

  // Reads of the value's memory, under whatever shape.
  Uses uses_of(Value value, double at) const {
    Uses uses;
    std::vector<Value> shapes{value};
    while (!shapes.empty()) {
      const Value v = shapes.back();
      shapes.pop_back();
      uses.output = uses.output || v.is_output();
      for (Node* user : v.users())
        if (is_view(*user))
          shapes.push_back(user->result());
        else
          note(*user, at, uses);
    }
    return uses;
  }

  void note(Node& user, double at, Uses& uses) const {
    const double position = position_.at(&user);
    uses.now = uses.now || position == at;
    if (position > at && (uses.first_late == nullptr || position < position_.at(uses.first_late)))
      uses.first_late = &user;
  }

  // Made before the moment, next read after it, and not for good.
  bool kept_over(Value v, double at) const {
    if (v.producer() == nullptr || position_.at(v.producer()) >= at) return false;
    const Uses uses = uses_of(v, at);
    return uses.first_late != nullptr && !uses.now && !uses.output;
  }

  bool is_there(Value v, const Node& where) const {
    const Value root = root_of(v);
    if (root.is_graph_input()) return true;
    const Uses uses = uses_of(root, position_.at(&where) - 1);
    return uses.output || uses.first_late != nullptr;
  }

  // The cost of computing v where it is first read after the moment; none if it cannot be, or would
  // free nothing.
  std::optional<double> price(Value v, double at) const {
    if (!kept_over(v, at)) return {};
    return price_of(*v.producer(), *uses_of(v, at).first_late, kDeepest);
  }

  std::optional<double> price_of(const Node& node, const Node& where, int deepest) const {
    if (deepest == 0) return {};
    double cost = cost_of(node);
    for (const Value& input : node.inputs()) {
      if (is_there(input, where)) continue;
      const auto more = price_of(*input.producer(), where, deepest - 1);
      if (!more) return {};
      cost += *more;
    }
    return cost;
  }

  using Made = std::map<const Node*, std::vector<Value>>;

  // The node's results once more, before the cursor.
  const std::vector<Value>& again(const Node& node, const Node& where, Made& made) {
    if (const auto known = made.find(&node); known != made.end()) return known->second;
    std::vector<Value> inputs;
    for (const Value& input : node.inputs())
      inputs.push_back(is_there(input, where)
                           ? input
                           : again(*input.producer(), where, made)[result_index(input)]);
    graph_.scope = node.scope().starts_with(kAgain) ? node.scope() : cat(kAgain, node.scope());
    return made[&node] = emit(node, std::move(inputs), where);
  }

  // The node with other inputs, at the cursor: before `where`.
  std::vector<Value> emit(const Node& node, std::vector<Value> inputs, const Node& where) {
    std::vector<Value> results =
        Builder(graph_).emit_all(node.op(), std::move(inputs), node.named_attrs());
    position_[results[0].producer()] = position_.at(&where) - 0.5;
    return results;
  }

  static size_t result_index(Value v) { return static_cast<size_t>(v.def()->result); }

  void compute_again(Value v, double at) {
    Node& where = *uses_of(v, at).first_late;
    const InsertBefore here(graph_, where);
    Made made;
    std::vector<Move> moves{{v, again(*v.producer(), where, made)[result_index(v)]}};
    while (!moves.empty()) {
      const Move move = moves.back();
      moves.pop_back();
      redirect(move, where, moves);
    }
    number();
  }

  struct Move {
    Value from, to;
  };

  // Uses of `from` at `where` and later read `to`. Views of it made before are made again, their
  // uses are moves to come.
  void redirect(const Move& move, const Node& where, std::vector<Move>& moves) {
    const std::vector<Node*> users = move.from.users();
    for (Node* user : users) {
      const bool early = position_.at(user) < position_.at(&where);
      if (early && is_view(*user) &&
          uses_of(user->result(), position_.at(&where) - 1).first_late != nullptr) {
        moves.push_back({user->result(), emit(*user, {move.to}, where)[0]});
      } else if (!early) {
        for (int i = 0; i < user->num_inputs(); ++i)
          if (user->input(i) == move.from) graph_.set_input(*user, i, move.to);
      }
    }
  }

  Graph& graph_;
  std::unordered_map<const Node*, double> position_;
};

double cost_of(const Graph& graph) {
  double cost = 0.0;
  for (const Node& node : graph.nodes()) cost += cost_of(node);
  return cost;
}

struct Fit {
  bool fits = false;
  int fired = 0;
  int64_t least = 0;  // bytes of the smallest plan on the way
};

// Gives up once the graph costs more than `most`.
Fit fit(Graph& graph, int64_t budget, double most, const PlanPeak& plan) {
  Fit result{.least = std::numeric_limits<int64_t>::max()};
  for (int round = 0; round < kRounds; ++round) {
    const MemoryPeak peak = plan(graph);
    result.least = std::min(result.least, peak.bytes);
    if (cost_of(graph) > most) break;
    result.fits = peak.bytes <= budget;
    const int relieved = result.fits ? 0 : Rematerialiser(graph).relieve(peak, peak.bytes - budget);
    if (relieved == 0) break;
    result.fired += relieved;
    eliminate_dead(graph);  // views that nothing reads any more
  }
  return result;
}

}  // namespace

int rematerialise(Graph& graph, int64_t budget, const PlanPeak& plan) {
  const int64_t planned = plan(graph).bytes;
  const Fit result = fit(graph, budget, kAnyCost, plan);
  check(result.fits, "the memory budget of ", budget >> 20, " MiB cannot be met: the plan takes ",
        mebibytes(planned), ", and ", mebibytes(result.least),
        " when values are computed again; give at least that, or use a smaller batch");
  return result.fired;
}

int rematerialise_within(Graph& graph, double extra, const PlanPeak& plan) {
  const double most = (1 + extra) * cost_of(graph);
  int64_t met = plan(graph).bytes;
  int64_t missed = met / 2;
  for (int halving = 0; halving < kHalvings; ++halving) {
    const int64_t budget = missed + (met - missed) / 2;
    (fit(*graph.clone(), budget, most, plan).fits ? met : missed) = budget;
  }
  return fit(graph, met, most, plan).fired;
}

}  // namespace grimace
