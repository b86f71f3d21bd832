#include <cstdio>

#include "autodiff/train_step.h"
#include "backends/backend.h"
#include "ir/text.h"

using namespace grimace;

void fit_a_line() {
  Graph graph("line");
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {64, 1}});
  const Value wanted = b.input("wanted", {DType::f32, {64, 1}});
  const Value error = b.linear(x, b.param("weight", {1, 1}), b.param("bias", {1})) - wanted;
  const Value loss = b.reduce_mean(error * error, {0, 1});
  // Gradients and AdamW become nodes of the same graph.
  add_train_step(b, loss, {{"weight", {.decay = false}}, {"bias", {.decay = false}}}, {});

  const auto step = make_backend("cpu")->compile(graph, {});
  Tensor xs(x.type()), ys(wanted.type()), rate(DType::f32, {}), zero(DType::f32, {});
  for (size_t i = 0; i < 64; ++i) ys.as<float>()[i] = 3 * (xs.as<float>()[i] = i / 64.0f) + 1;
  rate.as<float>()[0] = 0.05f;
  step->write("x", xs.view());
  step->write("wanted", ys.view());
  step->write("lr", rate.view());
  step->write("weight_decay", zero.view());
  for (int i = 0; i < 500; ++i) step->run();
  std::printf("%sweight %.2f, bias %.2f\n", print(graph).c_str(), step->read_scalar("weight"),
              step->read_scalar("bias"));
}
