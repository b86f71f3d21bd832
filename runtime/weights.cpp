#include "runtime/weights.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "ir/error.h"
#include "runtime/checkpoint.h"
#include "runtime/log.h"

namespace fs = std::filesystem;

namespace grimace {
namespace {

enum class Format { safetensors, pth, other };

bool has_extension(const fs::path& file, std::initializer_list<const char*> extensions) {
  return std::ranges::any_of(extensions, [&](const char* e) { return file.extension() == e; });
}

// A zip file or a pickle is PyTorch's; eight bytes of length and a brace begin a .safetensors file.
Format format_of(const fs::path& path) {
  const InputFile file(path, "a file of weights");
  std::array<char, 9> head{};
  const auto size = static_cast<size_t>(std::min<int64_t>(file.size(), head.size()));
  file.read(0, std::as_writable_bytes(std::span(head.data(), size)));
  uint64_t length = 0;
  std::memcpy(&length, head.data(), sizeof length);
  if (head[8] == '{' && length < static_cast<uint64_t>(file.size())) return Format::safetensors;
  const std::string_view start(head.data(), size);
  if (start.starts_with("PK\x03\x04") || (start.size() >= 2 && start[0] == '\x80' && start[1] <= 5))
    return Format::pth;
  if (has_extension(path, {".safetensors"})) return Format::safetensors;
  return has_extension(path, {".pth", ".pt", ".ckpt"}) ? Format::pth : Format::other;
}

}  // namespace

Weights::Weights(SafetensorsFile file) : file_(std::move(file)) {
  std::ranges::copy_if(all_names(), std::back_inserter(names_), is_model_tensor);
}

Weights::Weights(PthFile file) : file_(std::move(file)) {
  std::ranges::copy_if(all_names(), std::back_inserter(names_), is_model_tensor);
}

const fs::path& Weights::path() const {
  return std::visit([](const auto& f) -> const fs::path& { return f.path(); }, file_);
}

const std::vector<std::string>& Weights::all_names() const {
  return std::visit(
      [](const auto& f) -> const auto& { return f.names(); }, file_);
}

bool Weights::contains(std::string_view name) const {
  return std::visit([&](const auto& f) { return f.contains(name); }, file_);
}

const TensorType& Weights::type(std::string_view name) const {
  return std::visit(
      [&](const auto& f) -> const auto& { return f.type(name); }, file_);
}

Tensor Weights::tensor(std::string_view name) const {
  return std::visit([&](const auto& f) { return f.tensor(name); }, file_);
}

const Metadata& Weights::metadata() const {
  return std::visit(
      [](const auto& f) -> const auto& { return f.all_metadata(); }, file_);
}

std::string Weights::description() const {
  const auto* pth = std::get_if<PthFile>(&file_);
  const std::string kind = pth == nullptr ? ".safetensors file" : "PyTorch file";
  const std::string entry = pth == nullptr || pth->entry().empty() ? "" : ", entry " + pth->entry();
  return cat(kind, entry, ", ", names_.size(), " tensors");
}

bool is_weights_file(const fs::path& file) {
  return format_of(file) != Format::other;
}

Weights open_weights(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    auto newest = load_latest_checkpoint(path, [](const std::string& text) { warn(text); });
    check(newest.has_value(), path.string(), ": the folder has no checkpoint");
    return Weights(std::move(newest->file));
  }
  switch (format_of(path)) {
    case Format::pth:
      return Weights(PthFile(path));
    case Format::safetensors:
      return Weights(SafetensorsFile(path));
    case Format::other:
      break;
  }
  throw Error(cat(path.string(), ": holds no weights; expected a .safetensors or .pth file"));
}

}  // namespace grimace
