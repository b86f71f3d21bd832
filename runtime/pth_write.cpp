// Writing .pth: a pickle of protocol 2 without memo, and a storage entry for each distinct tensor.
#include <tuple>

#include "ir/error.h"
#include "runtime/checkpoint.h"
#include "runtime/pth.h"

namespace grimace {
namespace {

using Order = std::vector<const NamedView*>;

class PickleWriter {
 public:
  PickleWriter() : out_("\x80\x02") {}
  std::string take() { return std::move(out_ += '.'); }

  void begin_dict() { out_ += "}("; }
  void end_dict() { out_ += 'u'; }
  void text(std::string_view value) {
    out_ += 'X';
    raw(static_cast<uint32_t>(value.size()));
    out_ += value;
  }
  void tensor(const TensorType& type, const std::string& storage) {
    const std::span dims = type.shape.dims();
    const auto strides = type.shape.strides();
    out_ += "ctorch._utils\n_rebuild_tensor_v2\n((";
    text("storage");
    out_ += cat("ctorch\n", storage_class(type.dtype), "\n");
    text(storage);
    text("cpu");
    integer(type.numel());
    out_ += "tQ";
    integer(0);
    integers(dims);
    integers({strides.data(), dims.size()});
    out_ +=
        "\x89"
        "ccollections\nOrderedDict\n)RtR";  // no gradient wanted, no hooks
  }

 private:
  template <typename T>
  void raw(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void integer(int64_t value) {
    out_ += "\x8a\x08";
    raw(value);
  }
  void integers(std::span<const int64_t> values) {
    out_ += '(';
    for (const int64_t value : values) integer(value);
    out_ += 't';
  }

  std::string out_;
};

// Tensors at one address are one storage, as for shared parameters in PyTorch.
class Storages {
 public:
  const std::string& key(const ConstView& view) {
    const auto [found, is_new] = keys_.try_emplace({view.data, view.type.bytes(), view.type.dtype},
                                                   std::to_string(views_.size()));
    if (is_new) views_.push_back(view);
    return found->second;
  }
  const std::vector<ConstView>& views() const { return views_; }

 private:
  std::map<std::tuple<const void*, int64_t, DType>, std::string> keys_;
  std::vector<ConstView> views_;
};

// "optimizer.exp_avg.x" -> entry "optimizer", name "exp_avg.x".
std::pair<std::string, std::string> place(const std::string& name) {
  if (is_model_tensor(name)) return {"model", name};
  const size_t dot = name.find('.');
  return {name.substr(0, dot), name.substr(dot + 1)};
}

}  // namespace

void save_pth(const std::filesystem::path& path, std::span<const NamedView> tensors,
              const Metadata& metadata) {
  std::map<std::string, std::vector<std::pair<std::string, ConstView>>> entries;
  for (const NamedView& tensor : tensors) {
    const auto [entry, name] = place(tensor.name);
    entries[entry].emplace_back(name, tensor.view);
  }
  PickleWriter pickle;
  Storages storages;
  pickle.begin_dict();
  for (const auto& [entry, members] : entries) {
    pickle.text(entry);
    pickle.begin_dict();
    for (const auto& [name, view] : members) {
      pickle.text(name);
      pickle.tensor(view.type, storages.key(view));
    }
    pickle.end_dict();
  }
  pickle.text("metadata");
  pickle.begin_dict();
  for (const auto& [key, value] : metadata) {
    pickle.text(key);
    pickle.text(value);
  }
  pickle.end_dict();
  pickle.end_dict();

  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  ZipWriter zip(path, "archive");
  zip.add("data.pkl", bytes(pickle.take()));
  zip.add("byteorder", bytes("little"));
  for (size_t i = 0; i < storages.views().size(); ++i) {
    const ConstView& view = storages.views()[i];
    zip.add("data/" + std::to_string(i),
            {static_cast<const std::byte*>(view.data), static_cast<size_t>(view.type.bytes())});
  }
  zip.add("version", bytes("3\n"));
  zip.commit();
}

}  // namespace grimace
