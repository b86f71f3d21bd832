// Reading and writing safetensors files that are as they should be.
#include "runtime/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/testing.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(Safetensors, every_element_type_comes_back_as_it_was_saved) {
  const testing::ScratchDir dir;
  std::vector<Tensor> tensors;
  std::vector<NamedView> views;
  for (const DType dtype : {DType::u8, DType::f32, DType::bf16, DType::f16, DType::f64, DType::i32,
                            DType::i64, DType::boolean})
    tensors.emplace_back(dtype, Shape{3, 5});
  for (Tensor& tensor : tensors) {
    for (int64_t i = 0; i < tensor.bytes(); ++i)
      tensor.data()[i] = static_cast<std::byte>(
          tensor.dtype() == DType::boolean ? i % 2 : (i * 37 + size_of(tensor.dtype())) % 251);
    views.push_back({std::string(name_of(tensor.dtype())), tensor.view()});
  }
  save_safetensors(dir / "all.safetensors", views, {{"config", "{\"a\": 1}"}, {"note", "line\nü"}});

  const SafetensorsFile file(dir / "all.safetensors");
  EXPECT_TRUE(file.has_checksums());
  file.verify();
  EXPECT_THAT(file.all_metadata(),
              UnorderedElementsAre(Pair("config", "{\"a\": 1}"), Pair("note", "line\nü")));
  EXPECT_EQ(file.metadata("note"), "line\nü");
  for (const Tensor& saved : tensors) {
    const Tensor loaded = file.tensor(name_of(saved.dtype()));
    ASSERT_EQ(loaded.type(), saved.type());
    EXPECT_EQ(std::memcmp(loaded.data(), saved.data(), static_cast<size_t>(saved.bytes())), 0)
        << saved.type();
  }
}

TEST(Safetensors, the_order_given_is_kept_within_an_element_size_and_data_is_aligned) {
  const testing::ScratchDir dir;
  const Tensor bytes(DType::u8, {3});
  const Tensor z(DType::f32, {1});
  const Tensor a(DType::f32, {2});
  const Tensor wide(DType::f64, {1});
  save_safetensors(
      dir / "f",
      std::vector<NamedView>{
          {"bytes", bytes.view()}, {"z", z.view()}, {"a", a.view()}, {"wide", wide.view()}},
      {});
  EXPECT_THAT(SafetensorsFile(dir / "f").names(), ElementsAre("wide", "z", "a", "bytes"));

  std::ifstream in(dir / "f", std::ios::binary);
  uint64_t length = 0;
  in.read(reinterpret_cast<char*>(&length), sizeof length);
  std::string text(length, '\0');
  in.read(text.data(), static_cast<std::streamsize>(length));
  EXPECT_EQ(length % 8, 0u);
  const auto header = nlohmann::json::parse(text);  // valid for any reader, checksums or not
  EXPECT_EQ(header["a"]["data_offsets"][0].get<int>() % 4, 0);
  EXPECT_EQ(fs::file_size(dir / "f"), 8 + length + 8 + 4 + 8 + 3);
  for (const auto& [key, value] : header["__metadata__"].items())
    EXPECT_TRUE(value.is_string()) << key;
}

TEST(Safetensors, scalars_empty_tensors_and_a_file_without_tensors_are_fine) {
  const testing::ScratchDir dir;
  const float value = 2.5f;
  const Tensor scalar = Tensor::from<float>(Shape{}, std::span(&value, 1));
  const Tensor nothing(DType::f32, {0, 7});
  save_safetensors(dir / "f",
                   std::vector<NamedView>{{"nothing", nothing.view()}, {"scalar", scalar.view()}},
                   {});
  const SafetensorsFile file(dir / "f");
  file.verify();
  EXPECT_EQ(file.tensor("scalar").as<float>()[0], 2.5f);
  EXPECT_EQ(file.type("nothing").shape, (Shape{0, 7}));
  EXPECT_EQ(file.tensor("nothing").numel(), 0);

  save_safetensors(dir / "none", {}, {});
  const SafetensorsFile none(dir / "none");
  none.verify();
  EXPECT_TRUE(none.has_checksums());
  EXPECT_TRUE(none.names().empty());
}

TEST(Safetensors, what_is_not_in_the_file_is_named_with_the_file) {
  const testing::ScratchDir dir;
  const Tensor t(DType::f32, {2, 3});
  save_safetensors(dir / "f", std::vector<NamedView>{{"w", t.view()}}, {});
  const SafetensorsFile file(dir / "f");
  const std::string path = (dir / "f").string();
  EXPECT_TRUE(file.contains("w"));
  EXPECT_FALSE(file.contains("v"));
  EXPECT_EQ(error_of([&] { file.tensor("v"); }), path + ": has no tensor \"v\" among its 1");
  EXPECT_EQ(error_of([&] { (void)file.metadata("config"); }),
            path + ": has no metadata entry \"config\"");
  Tensor other(DType::f32, {3, 2});
  EXPECT_EQ(error_of([&] { file.read("w", other.view()); }),
            path + ": tensor \"w\" is f32[2x3], expected f32[3x2]");
}

TEST(Safetensors, an_open_file_can_be_moved) {
  const testing::ScratchDir dir;
  const Tensor t(DType::f32, {4});
  save_safetensors(dir / "f", std::vector<NamedView>{{"t", t.view()}}, {});
  save_safetensors(dir / "g", {}, {});
  SafetensorsFile file(dir / "g");
  file = SafetensorsFile(dir / "f");
  const SafetensorsFile moved(std::move(file));
  EXPECT_EQ(moved.tensor("t").numel(), 4);
}

TEST(Safetensors, files_of_several_gigabytes_are_read_where_asked) {
  const testing::ScratchDir dir;
  constexpr int64_t kBig = int64_t{5} << 30;
  const std::string header =
      cat(R"({"big":{"dtype":"U8","shape":[)", kBig, R"(],"data_offsets":[0,)", kBig,
          R"(]},"tail":{"dtype":"F32","shape":[1],"data_offsets":[)", kBig, ",", kBig + 4, "]}}");
  const uint64_t length = header.size();
  const float value = 4.5f;
  std::ofstream out(dir / "f", std::ios::binary);  // mostly a hole: takes no disk
  out.write(reinterpret_cast<const char*>(&length), sizeof length) << header;
  out.seekp(kBig, std::ios::cur);
  out.write(reinterpret_cast<const char*>(&value), sizeof value);
  out.close();
  ASSERT_TRUE(out);
  const SafetensorsFile file(dir / "f");
  EXPECT_EQ(file.type("big").bytes(), kBig);
  EXPECT_EQ(file.tensor("tail").as<float>()[0], 4.5f);
}

TEST(Safetensors, text_that_is_not_utf8_is_refused_when_saving) {
  const testing::ScratchDir dir;
  EXPECT_THAT(error_of([&] {
                save_safetensors(dir / "f", {}, {{"path", "\xff"}});
              }),
              HasSubstr("not UTF-8"));
  EXPECT_FALSE(fs::exists(dir / "f"));
}

TEST(Safetensors, every_golden_file_opens_and_reads) {
  const auto shared = testing::shared_dir();
  if (!shared) GTEST_SKIP() << "SKIPPED: no ../shared with the golden files";
  int files = 0;
  for (const auto& item : fs::directory_iterator(*shared / "golden")) {
    if (item.path().extension() != ".safetensors") continue;
    ++files;
    const SafetensorsFile file(item.path());
    EXPECT_FALSE(file.has_checksums());
    EXPECT_FALSE(file.metadata("kind").empty());
    for (const std::string& name : file.names()) {
      const Tensor tensor = file.tensor(name);
      if (tensor.dtype() != DType::f32) continue;
      for (const float value : tensor.as<float>()) ASSERT_TRUE(std::isfinite(value)) << name;
    }
  }
  EXPECT_GE(files, 14);
}

TEST(Safetensors, a_known_golden_value_is_read_right) {
  const SafetensorsFile file(testing::repository_dir() / "tests/golden/optim_tiny.safetensors");
  EXPECT_EQ(file.metadata("kind"), "optimizer");
  EXPECT_EQ(file.type("optim.losses").shape, Shape{8});
  EXPECT_EQ(file.tensor("optim.learning_rates").as<float>()[4], 0.0015025f);
}

}  // namespace
}  // namespace grimace
