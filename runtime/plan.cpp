#include "runtime/plan.h"

#include <algorithm>
#include <limits>
#include <queue>

#include "ir/op_def.h"
#include "runtime/free_space.h"

namespace grimace {
namespace {

constexpr int kForever = std::numeric_limits<int>::max();
// A result that depends on no param is kept between runs only when it is small.
constexpr int64_t kKeepBytes = 4 << 20;

// The share of a step's work that a smaller plan is worth where no budget is given.
constexpr double kCheap = 0.02;

// More than any machine has: such a plan will be refused as it is.
constexpr int64_t kHopelessBytes = int64_t{1} << 40;

// All values together; so no sum of sizes overflows.
constexpr int64_t kMostBytes = int64_t{1} << 60;

// Models have a few thousand nodes. Up to here work that grows with their square is worth it.
constexpr size_t kManyNodes = 20'000;
constexpr size_t kManyStorages = 10'000;

// One piece of memory, for one or more values that may share it.
struct Storage {
  int64_t bytes = 0;
  int first = 0;  // index of the node that writes it first
  int last = 0;   // index of the last node that reads it
  bool persistent = false;
  int64_t offset = -1;
  Value value = {};  // of them, what is there at the peak; null where none
};

// From one storage to another.
struct Move {
  size_t from = 0;
  size_t to = 0;
};

int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

class Planner {
 public:
  explicit Planner(const Graph& graph) : graph_(graph) {}

  MemoryPlan run() {
    find_stable();
    find_last_uses();
    for (const Update& update : graph_.updates()) target_of_[update.value] = update.target;
    for (const Value& input : graph_.inputs()) new_storage(input, 0, true);
    int index = 0;
    for (const Node& node : graph_.nodes()) assign(node, index++);
    const std::vector<Move> moves = moves_after_run();
    place();
    for (const Move& move : moves)
      plan_.copies.push_back(
          {storages_[move.from].offset, storages_[move.to].offset, storages_[move.to].bytes});
    for (const auto& [value, id] : storage_of_)
      plan_.offset[value] = storages_[static_cast<size_t>(id)].offset;
    return std::move(plan_);
  }

 private:
  void find_stable() {
    ValueMap<bool> from_param;
    for (const Value& input : graph_.inputs())
      if (is_stable(plan_, input)) from_param[input] = true;
    for (const Node& node : graph_.nodes()) {
      bool stable = true;
      bool uses_param = false;
      int64_t bytes = 0;
      for (const Value& input : node.inputs()) {
        const auto found = from_param.find(input);
        stable = stable && found != from_param.end();
        uses_param = uses_param || (found != from_param.end() && found->second);
      }
      for (int i = 0; i < node.num_results(); ++i) bytes += node.out(i).bytes();
      if (!stable || (!uses_param && bytes > kKeepBytes)) continue;
      plan_.stable[&node] = true;
      for (int i = 0; i < node.num_results(); ++i) from_param[node.result(i)] = uses_param;
    }
  }

  // Last reader of each value; a view's readers are its root's too. Roots are kept, as a file may
  // hold a long chain of views.
  void find_last_uses() {
    ValueMap<Value> root;
    const auto root_of = [&](Value v) {
      const auto found = root.find(v);
      return found == root.end() ? v : found->second;
    };
    int index = 0;
    for (const Node& node : graph_.nodes()) {
      for (const Value& input : node.inputs()) last_use_[root_of(input)] = index;
      if (is_view(node)) root[node.result()] = root_of(node.input(0));
      for (int i = 0; i < node.num_results(); ++i) {
        const Value r = root_of(node.result(i));
        last_use_[r] = std::max(last_use_[r], index);
      }
      ++index;
    }
    for (const Output& output : graph_.outputs()) last_use_[root_of(output.value)] = kForever;
    for (const Update& update : graph_.updates()) last_use_[root_of(update.value)] = kForever;
  }

  int new_storage(Value value, int index, bool persistent) {
    const auto id = static_cast<int>(storages_.size());
    add({value.type().bytes(), index, last_use_[value], persistent, -1});
    storage_of_[value] = id;
    return id;
  }

  void add(const Storage& storage) {
    total_bytes_ += aligned(storage.bytes);
    check(
        total_bytes_ <= kMostBytes, "graph '", graph_.name(),
        "': its values take more than 2^60 bytes together; use a smaller batch or smaller shapes");
    storages_.push_back(storage);
  }

  void share(Value value, int id) {
    storage_of_[value] = id;
    Storage& storage = storages_[static_cast<size_t>(id)];
    storage.last = std::max(storage.last, last_use_[value]);
  }

  Storage& storage(Value value) { return storages_[static_cast<size_t>(storage_of_.at(value))]; }

  void assign(const Node& node, int index) {
    const bool stable = plan_.stable.contains(&node);
    for (int i = 0; i < node.num_results(); ++i) {
      const Value result = node.result(i);
      if (is_view(node)) {
        storage_of_[result] = storage_of_.at(node.input(0));
      } else if (const int id = stable ? -1 : place_to_share(node, i, index); id >= 0) {
        share(result, id);
      } else {
        new_storage(result, index, stable);
      }
    }
  }

  // The storage that result i may overwrite, or -1.
  int place_to_share(const Node& node, int i, int index) {
    const Value result = node.result(i);
    const auto target = target_of_.find(result);
    if (target != target_of_.end()) {
      const int last = storage(target->second).last;
      if (last < index || (last == index && may_overwrite(node, i, target->second)))
        return storage_of_.at(target->second);
    }
    for (const Value& input : node.inputs()) {
      const Storage& s = storage(input);
      if (!s.persistent && s.last == index && may_overwrite(node, i, input))
        return storage_of_.at(input);
    }
    return -1;
  }

  // Whether the op may write result i over `input`, which no later node reads.
  bool may_overwrite(const Node& node, int i, Value input) {
    const Value result = node.result(i);
    if (result.type().numel() != input.type().numel() ||
        size_of(result.dtype()) != size_of(input.dtype()))
      return false;
    if (node.op().aliasing == Aliasing::in_order) {
      return i < node.num_inputs() && node.input(i) == input && uses(node, input) == 1;
    }
    if (node.op().aliasing != Aliasing::elementwise || result.shape() != input.shape())
      return false;
    // Another operand in the same memory under another shape would be overwritten too early.
    for (const Value& other : node.inputs())
      if (storage_of_.at(other) == storage_of_.at(input) && other.shape() != input.shape())
        return false;
    // An earlier result of this node may already live there.
    for (int r = 0; r < i; ++r)
      if (storage_of_.at(node.result(r)) == storage_of_.at(input)) return false;
    return true;
  }

  int uses(const Node& node, Value input) const {
    int count = 0;
    for (const Value& other : node.inputs())
      count += storage_of_.at(other) == storage_of_.at(input) ? 1 : 0;
    return count;
  }

  // Copies into updated inputs. Where the new value is the old one of another updated input it is
  // set aside first: updates take place all at once (two states may swap).
  std::vector<Move> moves_after_run() {
    std::vector<bool> is_target(storages_.size(), false);
    for (const Update& update : graph_.updates())
      is_target[static_cast<size_t>(storage_of_.at(update.target))] = true;
    const auto end = static_cast<int>(graph_.nodes().size());
    std::vector<Move> set_aside;
    std::vector<Move> moves;
    for (const Update& update : graph_.updates()) {
      Move move{static_cast<size_t>(storage_of_.at(update.value)),
                static_cast<size_t>(storage_of_.at(update.target))};
      if (move.from == move.to) continue;
      if (is_target[move.from]) {
        add({update.value.type().bytes(), end, kForever, false, -1});
        set_aside.push_back({move.from, storages_.size() - 1});
        move.from = storages_.size() - 1;
      }
      moves.push_back(move);
    }
    moves.insert(moves.begin(), set_aside.begin(), set_aside.end());
    return moves;
  }

  void place() {
    int64_t persistent = 0;
    for (Storage& s : storages_) {
      if (!s.persistent) continue;
      s.offset = persistent;
      persistent += aligned(s.bytes);
    }
    std::vector<Storage*> order;
    for (Storage& s : storages_)
      if (!s.persistent) order.push_back(&s);
    find_peak(order);
    const int64_t end =
        order.size() < kManyStorages ? place_largest_first(order) : place_in_time(order);
    for (Storage* s : order) s->offset += persistent;
    plan_.persistent_bytes = persistent;
    plan_.transient_bytes = end;
    plan_.peak.bytes = plan_.arena_bytes();
  }

  // Returns where the last one ends.
  static int64_t place_largest_first(std::vector<Storage*> order) {
    std::stable_sort(order.begin(), order.end(),
                     [](const Storage* a, const Storage* b) { return a->bytes > b->bytes; });
    int64_t end = 0;
    std::vector<const Storage*> placed;
    for (Storage* s : order) {
      s->offset = lowest_free_offset(*s, placed);
      end = std::max(end, s->offset + aligned(s->bytes));
      placed.insert(std::upper_bound(
                        placed.begin(), placed.end(), s,
                        [](const Storage* a, const Storage* b) { return a->offset < b->offset; }),
                    s);
    }
    return end;
  }

  // As they come into being, which is how they are numbered. Wastes more, in less time.
  static int64_t place_in_time(const std::vector<Storage*>& order) {
    const auto later = [](const Storage* a, const Storage* b) { return a->last > b->last; };
    std::priority_queue<Storage*, std::vector<Storage*>, decltype(later)> alive(later);
    FreeSpace space;
    for (Storage* s : order) {
      for (; !alive.empty() && alive.top()->last < s->first; alive.pop())
        space.give(alive.top()->offset, aligned(alive.top()->bytes));
      s->offset = 0;
      if (s->bytes == 0) continue;
      s->offset = space.take(aligned(s->bytes));
      alive.push(s);
    }
    return space.end();
  }

  // `placed` is in rising order of offset.
  static int64_t lowest_free_offset(const Storage& s, const std::vector<const Storage*>& placed) {
    int64_t offset = 0;
    for (const Storage* other : placed) {
      if (other->last < s.first || s.last < other->first) continue;
      if (offset + aligned(s.bytes) <= other->offset) break;
      offset = std::max(offset, other->offset + aligned(other->bytes));
    }
    return offset;
  }

  // The moment when most is alive, and what that is.
  void find_peak(const std::vector<Storage*>& transient) {
    std::vector<int64_t> change(graph_.nodes().size() + 2, 0);
    for (const Storage* s : transient) {
      change[static_cast<size_t>(s->first)] += aligned(s->bytes);
      if (s->last != kForever) change[static_cast<size_t>(s->last) + 1] -= aligned(s->bytes);
    }
    int64_t live = 0;
    int peak = 0;
    for (int i = 0; i < static_cast<int>(change.size()); ++i) {
      live += change[static_cast<size_t>(i)];
      if (live <= plan_.lower_bound_bytes) continue;
      plan_.lower_bound_bytes = live;
      peak = i;
    }
    int index = 0;
    for (const Node& node : graph_.nodes()) {
      if (index == peak) plan_.peak.node = &node;
      for (int i = 0; index <= peak && i < node.num_results(); ++i)
        if (!is_view(node)) storage(node.result(i)).value = node.result(i);
      ++index;
    }
    for (const Storage* s : transient)
      if (s->first <= peak && peak <= s->last && s->value) plan_.peak.alive.push_back(s->value);
  }

  const Graph& graph_;
  MemoryPlan plan_;
  ValueMap<int> last_use_;
  ValueMap<Value> target_of_;  // new value of an update -> what it updates
  ValueMap<int> storage_of_;
  std::vector<Storage> storages_;
  int64_t total_bytes_ = 0;
};

}  // namespace

bool is_stable(const MemoryPlan& plan, Value value) {
  if (!value.is_graph_input()) return plan.stable.contains(value.producer());
  return value.is(Role::constant) || (value.is(Role::param) && !value.is_updated());
}

MemoryPlan plan_memory(const Graph& graph) {
  return Planner(graph).run();
}

void fit_memory(Graph& graph, int64_t budget) {
  const auto peak = [](const Graph& g) { return plan_memory(g).peak; };
  const bool many = graph.nodes().size() > kManyNodes;
  check(budget == 0 || !many, "a memory budget can be met for graphs of at most ", kManyNodes,
        " nodes; graph '", graph.name(), "' has ", graph.nodes().size(), "; give no budget");
  if (budget > 0)
    rematerialise(graph, budget, peak);
  else if (!many && !graph.updates().empty() && peak(graph).bytes < kHopelessBytes)
    rematerialise_within(graph, kCheap, peak);
}

}  // namespace grimace
