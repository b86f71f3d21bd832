// The adamw nodes of a step in one kernel give what each gives alone.
#include <algorithm>
#include <cmath>

#include "tests/cuda/gpu_run.h"

namespace grimace {
namespace {

using testing::DeviceMemory;

// Parameters of all sizes, more than a launch has room for, that share the scalars of the step.
struct Group {
  Group() {
    Builder g(graph);
    const TensorType scalar{DType::f32, {}};
    const std::vector<Value> shared{g.input("lr", scalar), g.input("wd", scalar),
                                    g.input("scale", scalar), g.input("step", {DType::i64, {}}),
                                    g.input("apply", {DType::boolean, {}})};
    for (int i = 0; i < 101; ++i) {
      const TensorType t{DType::f32, {i == 7 ? 9001 : (i * i) % 97}};
      std::vector<Value> inputs;
      for (const char* name : {"p", "m", "v", "g"}) inputs.push_back(g.input(cat(name, i), t));
      inputs.insert(inputs.end(), shared.begin(), shared.end());
      g.emit_all(op_adamw, inputs,
                 {{"beta1", 0.9}, {"beta2", 0.95}, {"lr_scale", 0.5 + i}, {"decay", i % 2 == 0}});
      nodes.push_back(&graph.nodes().back());
    }
    for (const Value& input : graph.inputs())
      values.push_back(testing::random_tensor(input.type(), values.size()));
    values[0].as<float>()[0] = 1e-3f;
    values[1].as<float>()[0] = 0.05f;
    values[2].as<float>()[0] = 0.5f;
    values[3].as<int64_t>()[0] = 4;
    values[4].as<bool>()[0] = true;
    for (size_t i = 0; i < nodes.size(); ++i)
      for (float& v : values[5 + 4 * i + 2].as<float>()) v = std::fabs(v);
    for (const Tensor& value : values) {
      memory.push_back(std::make_unique<DeviceMemory>(value.bytes()));
      if (value.bytes() > 0) memory.back()->write(value.data());
    }
  }

  size_t place(const Node& node, int input) const {
    const auto& all = graph.inputs();
    return static_cast<size_t>(std::ranges::find(all, node.input(input)) - all.begin());
  }
  // In place, on the device.
  std::vector<Operands> operands() const {
    std::vector<Operands> result;
    for (const Node* node : nodes) {
      result.emplace_back();
      for (int i = 0; i < node->num_inputs(); ++i)
        result.back().in.emplace_back(node->in(i), memory[place(*node, i)]->get());
      for (int i = 0; i < 3; ++i)
        result.back().out.push_back({node->out(i), memory[place(*node, i)]->get()});
    }
    return result;
  }
  std::vector<Tensor> reference(const Node& node) const {
    std::vector<ConstView> in;
    for (int i = 0; i < node.num_inputs(); ++i) in.push_back(values[place(node, i)].view());
    std::vector<Tensor> result;
    std::vector<View> out;
    for (int i = 0; i < 3; ++i) result.emplace_back(node.out(i));
    for (Tensor& t : result) out.push_back(t.view());
    run_reference(node, in, out);
    return result;
  }

  Graph graph;
  std::vector<const Node*> nodes;
  std::vector<Tensor> values;  // of the graph's inputs
  std::vector<std::unique_ptr<DeviceMemory>> memory;
};

TEST(GpuAdamwGroup, GivesWhatEachNodeGivesAlone) {
  const Group group;
  const std::vector<Operands> operands = group.operands();
  const cuda::GpuKernel kernel = cuda::make_adamw_group(group.nodes, operands, cuda::Context{});
  EXPECT_EQ(kernel.name, "adamw of 101 tensors, 13622 elements, 3 launches");
  testing::DeviceStream().run(kernel.run);
  for (const Node* node : group.nodes) {
    const std::vector<Tensor> wanted = group.reference(*node);
    for (int i = 0; i < 3; ++i) {
      Tensor got(node->out(i));
      if (got.bytes() > 0) group.memory[group.place(*node, i)]->read(got.data());
      EXPECT_LE(testing::relative_l2_error(got, wanted[static_cast<size_t>(i)]), 3e-7)
          << node->describe();
    }
  }
}

TEST(GpuAdamwGroup, IsIndependentUnlessOneWritesWhatAnotherReads) {
  const Group group;
  std::vector<Operands> operands = group.operands();
  EXPECT_TRUE(cuda::independent_adamw(operands[3], operands[7]));
  operands[3].out[1].data = const_cast<void*>(operands[7].in[3].data);  // over a gradient
  EXPECT_FALSE(cuda::independent_adamw(operands[3], operands[7]));
}

TEST(GpuAdamwGroup, IsOfNodesThatShareTheStep) {
  Group group;
  EXPECT_TRUE(cuda::same_adamw_group(*group.nodes[0], *group.nodes[1]));
  Node& other = group.graph.nodes().back();
  group.graph.set_attr(other, "beta1", 0.5);
  EXPECT_FALSE(cuda::same_adamw_group(*group.nodes[0], other));
  EXPECT_THROW(cuda::make_adamw_group(group.nodes, group.operands(), cuda::Context{}),
               InternalError);
}

}  // namespace
}  // namespace grimace
