// The exported classifier in all its variants, and every op alone, against ONNX Runtime.
#include "tools/onnx_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "backends/backend.h"
#include "ir/onnx_export.h"
#include "runtime/checkpoint.h"
#include "runtime/safetensors.h"
#include "tests/onnx_check.h"
#include "tests/op_cases.h"
#include "tests/testing.h"
#include "tools/command_line.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

using ::testing::HasSubstr;
using testing::ScratchDir;

// Runs every <name>.onnx of a folder on the "in.*" of <name>.safetensors and compares with its
// "out.*": differences relative to the largest value.
constexpr const char* kScript = R"py(
import glob, sys
import numpy, onnxruntime
from safetensors.numpy import load_file
try:
    import onnx
except ImportError:
    onnx = None
worst = 0.0
lacking = 0
files = sorted(glob.glob(sys.argv[1] + "/*.onnx"))
for file in files:
    if onnx:
        onnx.checker.check_model(onnx.load(file), full_check=True)
    try:
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        lacking += 1  # valid, but not for these element types there
        continue
    tensors = load_file(file[:-5] + ".safetensors")
    inputs = {k[3:]: v for k, v in tensors.items() if k.startswith("in.")}
    names = [o.name for o in session.get_outputs()]
    for name, got in zip(names, session.run(None, inputs)):
        want = tensors["out." + name]
        assert got.shape == want.shape and got.dtype == want.dtype, (file, name, got.shape)
        if want.size == 0:
            continue
        largest = max(numpy.abs(want.astype("f8")).max(), 1e-30)
        error = numpy.abs(got.astype("f8") - want.astype("f8")).max() / largest
        assert error <= 1e-5, (file, name, error)
        worst = max(worst, error)
assert lacking * 20 <= len(files), (lacking, len(files))
print(len(files), "ONNX files, largest difference", worst, "not there:", lacking, "" if onnx else "(no onnx.checker)")
)py";

const char* python() {
  return std::getenv("GRIMACE_PEERS_PYTHON");
}

void expect_agreement(const ScratchDir& dir) {
  std::ofstream(dir / "run.py") << kScript;
  const std::string command =
      cat(python(), " ", (dir / "run.py").string(), " ", dir.path().string());
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

using Tensors = std::map<std::string, Tensor>;

void save(const std::filesystem::path& file, const Tensors& tensors) {
  std::vector<NamedView> views;
  for (const auto& [name, tensor] : tensors) views.push_back({name, tensor.view()});
  save_safetensors(file, views, {});
}

Recipe recipe_of(const std::vector<std::string>& more) {
  Settings settings;
  for (const char* pair :
       {"model.name=mae-dfer-classifier", "model.image=32", "model.patch=8", "model.frames=8",
        "model.embed_dim=16", "model.heads=2", "model.region=2,2,4", "model.encoder_depth=2",
        "model.classes=5", "optim.batch_size=2"})
    settings.set_pair(pair);
  for (const std::string& pair : more) settings.set_pair(pair);
  return settings.resolve().recipe;
}

void randomise(Executable& executable, Role role) {
  for (const Value& v : executable.graph().inputs(role))
    executable.write(v.name(),
                     testing::random_input({v.type(), -0.5, 0.5}, v.name().size()).view());
}

// The model with a free batch, and three clips with what the reference makes of them.
void write_model(const ScratchDir& dir, const std::string& name, const Recipe& recipe) {
  const auto graph = forward_graph(recipe, 2, false);
  const auto more = forward_graph(recipe, 3, false);
  const auto run = make_backend("reference")->compile(*more, {});
  randomise(*run, Role::param);
  randomise(*run, Role::input);
  run->run();
  const OnnxExport what{.weights =
                            [&](Value param) {
                              const ConstView view = run->view(param.name());
                              return std::span(static_cast<const std::byte*>(view.data),
                                               static_cast<size_t>(view.type.bytes()));
                            },
                        .one_more = more.get()};
  const std::string bytes = to_onnx(*graph, what);
  EXPECT_EQ(testing::onnx_fault(testing::parse_onnx(bytes)), "") << name;
  std::ofstream(dir / (name + ".onnx"), std::ios::binary) << bytes;
  save(dir / (name + ".safetensors"), {{"in.video", run->read("video")},
                                       {"out.logits", run->read("logits")},
                                       {"out.feature", run->read("feature")}});
}

TEST(OnnxFile, of_every_kind_of_classifier_answers_in_onnx_runtime_as_here) {
  const std::pair<const char*, std::vector<std::string>> variants[] = {
      {"plain", {}},
      {"pool_org", {"model.classify_token=org"}},
      {"pool_all", {"model.classify_token=all"}},
      {"first_cross", {"model.first_attn_type=cross"}},
      {"third_self", {"model.third_attn_type=self"}},
      {"shared", {"model.share_all=true"}},
      {"no_second", {"model.no_second=true"}},
      {"no_third", {"model.no_third=true"}},
      {"joint", {"model.name=videomae-classifier", "model.attn_type=joint"}}};
  const ScratchDir dir;
  for (const auto& [name, pairs] : variants) write_model(dir, name, recipe_of(pairs));
  if (python() == nullptr)
    GTEST_SKIP() << "GRIMACE_PEERS_PYTHON names no python3 with onnxruntime and safetensors";
  expect_agreement(dir);
}

TEST(OnnxFile, every_op_that_is_written_computes_the_same_there) {
  if (python() == nullptr)
    GTEST_SKIP() << "GRIMACE_PEERS_PYTHON names no python3 with onnxruntime and safetensors";
  const ScratchDir dir;
  int written = 0;
  for (const testing::OpCase& op_case : testing::op_cases()) {
    const auto graph = build(op_case);
    std::string bytes;
    try {
      bytes = to_onnx(*graph, {});
    } catch (const Error&) {
      continue;  // an op of training alone
    }
    Tensors tensors;
    const auto inputs = random_inputs(op_case, 5);
    const Interpretation result = interpret(*graph, inputs);
    const auto keep = [&](const std::string& name, const Buffer& buffer) {
      tensors[name] = Tensor(buffer.type);
      convert(buffer.view(), tensors[name].view());
    };
    for (const auto& [name, buffer] : inputs) keep("in." + name, buffer);
    for (const auto& [name, buffer] : result.outputs) keep("out." + name, buffer);
    const std::string name = cat(op_case.op->name, "_", written++);
    std::ofstream(dir / (name + ".onnx"), std::ios::binary) << bytes;
    save(dir / (name + ".safetensors"), tensors);
  }
  EXPECT_GT(written, 150);
  expect_agreement(dir);
}

struct Ran {
  int code = 0;
  std::string out = {}, err = {};
};

Ran run_export(std::vector<std::string> words) {
  words.insert(words.begin(), {"grimace", "graph", "export"});
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Ran ran;
  ran.code = run_command_line(static_cast<int>(argv.size()), argv.data());
  ran.err = ::testing::internal::GetCapturedStderr();
  ran.out = ::testing::internal::GetCapturedStdout();
  return ran;
}

TEST(OnnxFile, has_the_weights_of_its_file_and_names_the_classes) {
  const ScratchDir dir;
  const Recipe recipe = recipe_of({"data.classes=a,b,c,d,e"});
  Tensors tensors;
  const auto graph = forward_graph(recipe, 1, false);
  for (const Value& param : graph->inputs(Role::param)) {
    tensors[param.name()] = Tensor(param.type());
    std::ranges::fill(tensors[param.name()].as<float>(), static_cast<float>(tensors.size()));
  }
  std::vector<NamedView> views;
  for (const auto& [name, tensor] : tensors) views.push_back({name, tensor.view()});
  const auto file = save_checkpoint(dir.path(), {.step = 1, .config = to_toml(recipe)}, views, 0);
  const Ran ran = run_export({"--model", file, "--onnx", dir / "m.onnx", "--batch-size", "4"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("operator set 17, 4 clips, "));
  const onnx::ModelProto model = testing::parse_onnx(testing::file_text(dir / "m.onnx"));
  EXPECT_EQ(testing::onnx_fault(model), "");
  EXPECT_EQ(model.metadata_props(0).value(), "a,b,c,d,e");
  EXPECT_EQ(model.graph().input(0).type().tensor_type().shape().dim(0).dim_value(), 4);
  size_t found = 0;
  for (const auto& tensor : model.graph().initializer()) {
    const auto ours = tensors.find(tensor.name());
    if (ours == tensors.end()) continue;
    ++found;
    const std::string_view raw(reinterpret_cast<const char*>(ours->second.data()),
                               static_cast<size_t>(ours->second.bytes()));
    EXPECT_EQ(tensor.raw_data(), raw) << tensor.name();
  }
  EXPECT_EQ(found, tensors.size());
}

TEST(OnnxFile, is_of_a_classifier_and_never_half_there) {
  const ScratchDir dir;
  const Ran pretrain = run_export({"--model", "mae-dfer-pretrain", "--onnx", dir / "m.onnx"});
  EXPECT_EQ(pretrain.code, 2);
  EXPECT_THAT(pretrain.err,
              HasSubstr("holds a pre-training model; ONNX export is for classifiers"));
  EXPECT_FALSE(std::filesystem::exists(dir / "m.onnx"));
  EXPECT_EQ(run_export({}).code, 2);
}

}  // namespace
}  // namespace grimace
