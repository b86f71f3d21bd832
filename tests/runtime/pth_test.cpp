// PyTorch files: one that PyTorch itself wrote, forms of the pickle that other versions write, and
// what this program writes.
#include "runtime/pth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "runtime/weights.h"
#include "tests/runtime/pth_forge.h"
#include "tests/testing.h"

namespace grimace::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

// Written by tests/golden/write_pth.py with PyTorch 2.15; element i of a tensor is i / 8.
PthFile small() {
  return PthFile(repository_dir() / "tests/golden/pytorch_small.pth");
}

std::vector<double> values(const Tensor& tensor) {
  const Tensor wide = tensor.cast(DType::f64);
  return {wide.as<double>().begin(), wide.as<double>().end()};
}

PthFile forged(const ScratchDir& dir, const std::string& pickle) {
  std::ofstream(dir / "x.pth", std::ios::binary) << pth_with(pickle).bytes();
  return PthFile(dir / "x.pth");
}

TEST(Pth, of_pytorch_has_its_tensors_under_their_names) {
  const PthFile file = small();
  EXPECT_EQ(file.entry(), "model");
  EXPECT_THAT(std::vector(file.names().begin(), file.names().begin() + 3),
              ElementsAre("mask_token", "encoder.weight", "encoder.bias"));
  EXPECT_EQ(file.type("mask_token"), (TensorType{DType::f32, {1, 1, 2}}));
  const Tensor weight = file.tensor("encoder.weight");
  EXPECT_EQ(weight.shape(), (Shape{3, 4}));
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(weight.as<float>()[i], static_cast<float>(i) / 8);
  EXPECT_THROW(file.tensor("absent"), Error);
}

TEST(Pth, of_pytorch_gives_views_of_storages_their_own_elements) {
  const PthFile file = small();
  for (const char* name : {"others.transposed", "others.part"})
    EXPECT_THAT(values(file.tensor(name)), ElementsAre(0, 0.125, 0.25, 0.375, 0.5, 0.625)) << name;
  EXPECT_THAT(values(file.tensor("others.column")), ElementsAre(0.125, 0.5, 0.875, 1.25));
  EXPECT_EQ(values(file.tensor("others.shared")), values(file.tensor("others.shared_again")));
  EXPECT_THAT(values(file.tensor("others.scalar")), ElementsAre(0.125));
  EXPECT_EQ(file.tensor("others.empty").shape(), (Shape{0, 3}));
}

TEST(Pth, of_pytorch_keeps_element_types) {
  const PthFile file = small();
  for (const char* name : {"f16", "bf16", "f64", "i64", "i32", "u8", "bool"}) {
    const std::string path = cat("others.", name);
    EXPECT_EQ(name_of(file.type(path).dtype), name);
    const std::vector<double> found = values(file.tensor(path));
    if (is_float(file.type(path).dtype)) {
      EXPECT_THAT(found, ElementsAre(0, 0.125, 0.25, 0.375));
    }
  }
  EXPECT_THAT(values(file.tensor("others.i64")), ElementsAre(-2, -1, 0, 1));
  EXPECT_THAT(values(file.tensor("others.u8")), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(values(file.tensor("others.bool")), ElementsAre(1, 0));
}

// Group 0 holds mask_token and encoder.bias, group 1 encoder.weight; the first moment of one step
// is a tenth of the gradient, which was ten times the parameter.
TEST(Pth, of_pytorch_names_the_moments_by_their_parameters) {
  const PthFile file = small();
  EXPECT_THAT(values(file.tensor("optimizer.exp_avg.encoder.bias")), ElementsAre(0, 0.125, 0.25));
  EXPECT_EQ(file.type("optimizer.exp_avg.encoder.weight").shape, (Shape{3, 4}));
  EXPECT_NEAR(values(file.tensor("optimizer.exp_avg_sq.mask_token"))[1], 0.05 * 1.25 * 1.25, 1e-6);
  EXPECT_THAT(values(file.tensor("optimizer.step.encoder.weight")), ElementsAre(1));
}

TEST(Pth, of_pytorch_keeps_plain_values_and_those_of_unknown_classes_as_text) {
  const Metadata metadata = small().all_metadata();
  EXPECT_EQ(metadata.at("epoch"), "49");
  EXPECT_EQ(metadata.at("args.lg_region_size"), "[2, 5, 10]");
  EXPECT_EQ(metadata.at("args.lr"), "3e-04");
  EXPECT_EQ(metadata.at("args.clip_grad"), "None");
  EXPECT_EQ(metadata.at("optimizer.param_groups.1.weight_decay"), "0.05");
}

TEST(Pth, moments_that_fit_no_parameter_keep_their_numbers) {
  const ScratchDir dir;
  const std::string moment = dict({{"exp_avg", ForgedTensor().pickle()}});
  ForgedTensor other;
  other.shape = {4}, other.strides = {1};
  const PthFile file = forged(
      dir, whole(dict({{"model", dict({{"w", other.pickle()}})},
                       {"optimizer", dict({{"state", "}" + integer(0) + moment + "s"},
                                           {"param_groups", "]" + dict({{"lr", "N"}}) + "a"}})}})));
  EXPECT_THAT(file.names(), ElementsAre("w", "optimizer.state.0.exp_avg"));
}

TEST(Pth, takes_the_entry_model_or_module_or_the_whole_file) {
  const ScratchDir dir;
  const std::string weights = dict({{"w", ForgedTensor().pickle()}});
  const std::string ordered = call(global("collections", "OrderedDict"), ")") + "(" + text("w") +
                              ForgedTensor().pickle() + "u";
  for (const std::string& form : {weights, ordered}) {
    EXPECT_EQ(forged(dir, whole(dict({{"epoch", "K\x03"}, {"model", form}}))).entry(), "model");
    EXPECT_EQ(forged(dir, whole(dict({{"module", form}}))).entry(), "module");
    const PthFile bare = forged(dir, whole(form));
    EXPECT_EQ(bare.entry(), "");
    EXPECT_THAT(bare.names(), ElementsAre("w"));
    EXPECT_THAT(values(bare.tensor("w")), ElementsAre(1, 2, 3, 4));
  }
}

TEST(Pth, is_read_in_protocols_4_and_5_and_with_parameters) {
  const ScratchDir dir;
  const auto stack_global = [](const std::string& module, const std::string& name) {
    return text(module) + "\x94" + text(name) + "\x94\x93\x94";
  };
  const std::string id = "(" + text("storage") + stack_global("torch", "FloatStorage") + text("0") +
                         text("cpu") + "K\x04tQ";
  const std::string tensor = stack_global("torch._utils", "_rebuild_tensor_v2") + "(" + id +
                             std::string("K\0K\x02K\x02\x86K\x02K\x01\x86\x89N", 14) + "tR";
  const std::string parameter =
      stack_global("torch._utils", "_rebuild_parameter") + tensor + "\x88N\x87R";
  const std::string frame = "\x95" + little_endian(uint64_t{10});
  for (const char protocol : {4, 5}) {
    const PthFile file = forged(dir, whole(frame + "}\x94(\x8c\x01w" + parameter + "u", protocol));
    EXPECT_THAT(values(file.tensor("w")), ElementsAre(1, 2, 3, 4));
  }
}

TEST(Pth, of_an_unknown_class_keeps_state_and_constructs_nothing) {
  const ScratchDir dir;
  const std::string object = global("no.such.module", "Thing") + ")\x81" +
                             dict({{"depth", "K\x10"}, {"name", text("x")}}) + "b";
  const PthFile file = forged(
      dir, whole(dict({{"model", dict({{"w", ForgedTensor().pickle()}})}, {"args", object}})));
  EXPECT_EQ(file.all_metadata().at("args.depth"), "16");
  EXPECT_EQ(file.all_metadata().at("args.name"), "x");
}

TEST(Pth, of_this_program_comes_back_as_it_was) {
  const ScratchDir dir;
  const Tensor weight = Tensor::from<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  const Tensor half = weight.cast(DType::bf16);
  const Tensor step = Tensor::from<int64_t>({}, std::vector<int64_t>{7});
  const Tensor empty(DType::f32, {0});
  const std::vector<NamedView> tensors{{"w", weight.view()},
                                       {"w.alias", weight.view()},
                                       {"half", half.view()},
                                       {"empty", empty.view()},
                                       {"optimizer.exp_avg.w", weight.view()},
                                       {"state.step", step.view()}};
  save_pth(dir / "x.pth", tensors, {{"config", "lr = 1\n"}, {"epoch", "3"}, {"step", "7"}});
  const PthFile file(dir / "x.pth");
  EXPECT_EQ(file.names().size(), tensors.size());
  for (const NamedView& tensor : tensors) {
    EXPECT_EQ(file.type(tensor.name), tensor.view.type);
    const Tensor back = file.tensor(tensor.name);
    EXPECT_EQ(std::memcmp(back.data(), tensor.view.data, static_cast<size_t>(back.bytes())), 0);
  }
  EXPECT_EQ(file.all_metadata(), (Metadata{{"config", "lr = 1\n"}, {"epoch", "3"}, {"step", "7"}}));
  EXPECT_THAT(open_weights(dir / "x.pth").names(), ElementsAre("w", "w.alias", "half", "empty"));
}

TEST(Pth, shares_one_storage_among_tensors_at_one_address) {
  const ScratchDir dir;
  const Tensor weight(DType::f32, {1000});
  save_pth(dir / "x.pth", std::vector<NamedView>{{"a", weight.view()}, {"b", weight.view()}}, {});
  EXPECT_LT(std::filesystem::file_size(dir / "x.pth"), 6000u);
}

// GRIMACE_PEERS_PYTHON: a python3 that has torch and safetensors.
TEST(Pth, of_this_program_is_accepted_by_pytorch_and_its_safetensors_by_theirs) {
  const char* python = std::getenv("GRIMACE_PEERS_PYTHON");
  if (python == nullptr) GTEST_SKIP() << "GRIMACE_PEERS_PYTHON names no python3 with torch";
  const ScratchDir dir;
  const Tensor weight = Tensor::from<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  const Tensor half = weight.cast(DType::bf16);
  const Tensor step = Tensor::from<int64_t>({}, std::vector<int64_t>{7});
  const std::vector<NamedView> tensors{
      {"w", weight.view()}, {"half", half.view()}, {"state.step", step.view()}};
  save_pth(dir / "x.pth", tensors,
           {{"config", "lr = 1\n"}, {"epoch", "3"}, {"format", "grimace-checkpoint"}});
  save_pth(dir / "theirs.pth", tensors, {{"epoch", "3"}});
  save_safetensors(dir / "x.safetensors", tensors, {{"config", "lr = 1\n"}});
  std::ofstream(dir / "check.py") << R"(
import sys, torch, safetensors.torch
wanted = torch.arange(1.0, 7).reshape(2, 3)
for mapped in (False, True):
    file = torch.load(sys.argv[1] + "/x.pth", weights_only=True, mmap=mapped)
    assert torch.equal(file["model"]["w"], wanted)
    assert torch.equal(file["model"]["half"], wanted.to(torch.bfloat16))
    assert file["state"]["step"].item() == 7 and file["state"]["step"].dtype == torch.int64
    assert file["metadata"]["config"] == "lr = 1\n" and file["epoch"] == 2
assert torch.load(sys.argv[1] + "/theirs.pth", weights_only=True)["epoch"] == 3
tensors = safetensors.torch.load_file(sys.argv[1] + "/x.safetensors")
assert torch.equal(tensors["w"], wanted) and tensors["state.step"].item() == 7
)";
  const std::string command =
      cat(python, " ", (dir / "check.py").string(), " ", dir.path().string());
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

TEST(Weights, are_told_by_content_and_described) {
  const ScratchDir dir;
  std::filesystem::copy_file(repository_dir() / "tests/golden/pytorch_small.pth", dir / "a.bin");
  const Weights weights = open_weights(dir / "a.bin");
  EXPECT_TRUE(weights.is_pth());
  EXPECT_THAT(weights.description(), StartsWith("PyTorch file, entry model"));
  const Tensor w(DType::f32, {2});
  const std::vector<NamedView> tensors{{"w", w.view()}, {"state.step", w.view()}};
  save_safetensors(dir / "b.pth", tensors, {});
  EXPECT_THAT(open_weights(dir / "b.pth").names(), ElementsAre("w"));
  EXPECT_EQ(open_weights(dir / "b.pth").all_names().size(), 2u);
  std::ofstream(dir / "c.txt") << "prose";
  EXPECT_FALSE(is_weights_file(dir / "c.txt"));
  EXPECT_THROW(open_weights(dir / "c.txt"), Error);
  EXPECT_THROW(open_weights(dir.path()), Error);
}

}  // namespace
}  // namespace grimace::testing
