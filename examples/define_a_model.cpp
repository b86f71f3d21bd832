// Builds, trains and saves a small model: is a point of the square inside a ring? Usage:
//   define_a_model [FOLDER]
// FOLDER (here, unless given) gets ring.grim, the graph that answers, and ring.safetensors, its
// weights; both are then read again and used.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <random>

#include "autodiff/train_step.h"
#include "backends/backend.h"
#include "runtime/graph_file.h"
#include "runtime/safetensors.h"

using namespace grimace;

constexpr int64_t kPoints = 512;

// The forward graph, two hidden layers wide: [N,2] points to [N,2] scores of "no" and "yes".
Value scores_of(Builder& b, Value points) {
  Scope scope(b, "ring");
  const auto layer = [&](const std::string& name, Value x, int64_t width) {
    return b.linear(x, b.param(name + ".weight", {width, x.dim(-1)}),
                    b.param(name + ".bias", {width}));
  };
  const Value hidden = b.gelu(layer("fc1", points, 32));
  return layer("fc3", hidden + b.gelu(layer("fc2", hidden, 32)), 2);
}

struct Points {
  Tensor at{DType::f32, {kPoints, 2}};
  Tensor inside{DType::i32, {kPoints}};
};

Points random_points(uint32_t seed) {
  Points points;
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> coordinate(-1.0f, 1.0f);
  for (float& x : points.at.as<float>()) x = coordinate(generator);
  for (size_t i = 0; i < kPoints; ++i) {
    const float* at = points.at.as<float>().data() + 2 * i;
    const float radius = std::hypot(at[0], at[1]);
    points.inside.as<int32_t>()[i] = radius > 0.4f && radius < 0.8f;
  }
  return points;
}

// Normal weights that keep the size of what they multiply; biases stay zero.
void write_initial_weights(Executable& step) {
  std::mt19937 generator(1);
  for (const Value& param : step.graph().inputs()) {
    if (!param.is(Role::param) || param.shape().rank() != 2) continue;
    Tensor weight(param.type());
    std::normal_distribution<float> normal(0.0f,
                                           1.0f / std::sqrt(static_cast<float>(param.dim(1))));
    for (float& w : weight.as<float>()) w = normal(generator);
    step.write(param.name(), weight.view());
  }
}

void write_scalar(Executable& step, const std::string& name, float value) {
  step.write(name, Tensor::from<float>({}, std::span(&value, 1)).view());
}

// The whole training step, optimizer included, is one graph.
std::unique_ptr<Executable> trained(const Points& points) {
  Graph graph("training");
  Builder b(graph);
  const Value scores = scores_of(b, b.input("points", points.at.type()));
  const Value labels = b.one_hot(b.input("inside", points.inside.type()), 2);
  const Value loss = b.reduce_mean(b.cross_entropy(scores, labels), {0});
  std::map<std::string, ParamRule> rules;
  for (const Value& input : graph.inputs())
    if (input.is(Role::param)) rules[input.name()] = {.decay = input.shape().rank() > 1};
  add_train_step(b, loss, rules, {});

  auto step = make_backend("cpu")->compile(graph, {.threads = 1});  // too small to share
  write_initial_weights(*step);
  write_scalar(*step, "weight_decay", 0.01f);
  step->write("points", points.at.view());
  step->write("inside", points.inside.view());
  constexpr int kSteps = 400;
  for (int i = 0; i < kSteps; ++i) {
    write_scalar(*step, "lr", 0.01f * (1.0f - static_cast<float>(i) / kSteps));
    step->run();
    if (i % 100 == 0) std::printf("step %3d: loss %.3f\n", i, step->read_scalar("loss"));
  }
  std::printf("step %3d: loss %.3f\n", kSteps, step->read_scalar("loss"));
  return step;
}

void save(const Executable& step, const std::filesystem::path& folder) {
  Graph graph("ring");
  Builder b(graph);
  b.output("scores", scores_of(b, b.input("points", {DType::f32, {kPoints, 2}})));
  save_graph(graph, folder / "ring.grim");
  std::vector<NamedView> weights;
  for (const Value& input : graph.inputs())
    if (input.is(Role::param)) weights.push_back({input.name(), step.view(input.name())});
  save_safetensors(folder / "ring.safetensors", weights, {});
}

// How many of new points the saved model puts on the right side.
double accuracy_of(const std::filesystem::path& folder, const std::string& backend) {
  const auto model =
      make_backend(backend)->compile(*load_graph(folder / "ring.grim"), {.threads = 1});
  const SafetensorsFile weights(folder / "ring.safetensors");
  for (const std::string& name : weights.names()) model->write(name, weights.tensor(name).view());
  const Points points = random_points(2);
  model->write("points", points.at.view());
  model->run();
  const Tensor scores = model->read("scores");
  int right = 0;
  for (size_t i = 0; i < kPoints; ++i) {
    const float* score = scores.as<float>().data() + 2 * i;
    right += (score[1] > score[0]) == (points.inside.as<int32_t>()[i] == 1);
  }
  return right / static_cast<double>(kPoints);
}

int main(int argc, char** argv) {
  try {
    const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
    save(*trained(random_points(1)), folder);
    for (const char* backend : {"cpu", "reference"})
      std::printf("of new points right, on %s: %.1f %%\n", backend,
                  100.0 * accuracy_of(folder, backend));
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "define_a_model: %s\n", e.what());
    return 1;
  }
}
