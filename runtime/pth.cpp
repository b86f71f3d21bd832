#include "runtime/pth.h"

#include <algorithm>

#include "ir/error.h"

namespace grimace {
namespace {

PthContent read_content(const ZipFile& zip) {
  const std::string where = zip.file().path().string();
  const ZipEntry* pickle = zip.find("data.pkl");
  check(pickle != nullptr, where, ": is a zip file without data.pkl; expected one of torch.save");
  check(zip.find("constants.pkl") == nullptr, where,
        ": is a TorchScript program; expected a file of torch.save with a state_dict");
  if (const ZipEntry* order = zip.find("byteorder"); order != nullptr) {
    const std::vector<char> text = zip.read(*order, 16);
    check(std::string_view(text.data(), text.size()) == "little", where,
          ": has the byte order of another kind of machine; save it again on a common one");
  }
  const Pickle tree(zip.read(*pickle, PickleLimits().bytes), pth_callables(), where);
  return read_pth_content(tree, where);
}

}  // namespace

PthFile::PthFile(const std::filesystem::path& path) : zip_(path), content_(read_content(zip_)) {
  check_tensors();
  name_moments(content_);
  for (const PthTensor& tensor : content_.tensors) {
    check(index_.emplace(tensor.name, names_.size()).second, path.string(), ": tensor ",
          quoted_name(tensor.name),
          " is there twice, once as a state of the optimizer; rename or remove the other");
    names_.push_back(tensor.name);
  }
}

// Storages are as large as the pickle says, and names that share them stay within reason: a model
// that shares attention names it three times (spec 2.8). What lies between the elements of a tensor
// is read with it.
void PthFile::check_tensors() {
  constexpr int64_t kMostSharing = 4;
  int64_t total = 0;
  for (const PthTensor& tensor : content_.tensors) {
    const ZipEntry& storage = storage_of(tensor);
    check(storage.size / size_of(tensor.type.dtype) == tensor.storage_elements &&
              storage.size % size_of(tensor.type.dtype) == 0,
          path().string(), ": tensor ", quoted_name(tensor.name), " claims a storage of ",
          tensor.storage_elements, " elements of ", size_of(tensor.type.dtype),
          " bytes; its entry has ", storage.size, " bytes");
    total += std::max(tensor.type.bytes(), tensor.span() * size_of(tensor.type.dtype));
    check(total <= kMostSharing * zip_.file().size(), path().string(),
          ": its tensors claim more than ", kMostSharing, " times the ", zip_.file().size(),
          " bytes of the file; it is made to harm");
  }
}

const ZipEntry& PthFile::storage_of(const PthTensor& tensor) const {
  const ZipEntry* entry = zip_.find("data/" + tensor.storage);
  check(entry != nullptr, path().string(), ": tensor ", quoted_name(tensor.name), ": its storage ",
        quoted_name(tensor.storage), " is not in the file");
  return *entry;
}

const PthTensor& PthFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  check(found != index_.end(), path().string(), ": has no tensor ", quoted_name(name),
        " among its ", names_.size());
  return content_.tensors[found->second];
}

const TensorType& PthFile::type(std::string_view name) const {
  return find(name).type;
}

Tensor PthFile::tensor(std::string_view name) const {
  Tensor result(type(name));
  read(name, result.view());
  return result;
}

void PthFile::read(std::string_view name, View into) const {
  const PthTensor& tensor = find(name);
  const ZipEntry& storage = storage_of(tensor);
  check(tensor.type == into.type, path().string(), ": tensor ", quoted_name(name), " is ",
        tensor.type, ", expected ", into.type);
  const std::span bytes(static_cast<std::byte*>(into.data), static_cast<size_t>(into.type.bytes()));
  if (bytes.empty()) return;
  if (tensor.is_dense() && into.type.bytes() == storage.size) {
    zip_.file().read(storage.begin, bytes);
    zip_.check_crc(storage, crc32_of(bytes));
  } else {
    verify(storage);
    read_strided(tensor, storage, into);
  }
  if (tensor.type.dtype == DType::boolean)
    check(std::ranges::all_of(bytes, [](std::byte b) { return b <= std::byte{1}; }),
          path().string(), ": tensor ", quoted_name(name),
          " holds a truth value other than 0 and 1");
}

// A view of a part: the storage's checksum covers more than the part, so it is read in chunks,
// once.
void PthFile::verify(const ZipEntry& storage) const {
  if (verified_.contains(&storage)) return;
  std::vector<std::byte> buffer(size_t{1} << 20);
  uint32_t crc = 0;
  for (int64_t at = 0; at < storage.size;) {
    const int64_t size = std::min(static_cast<int64_t>(buffer.size()), storage.size - at);
    const std::span chunk(buffer.data(), static_cast<size_t>(size));
    zip_.file().read(storage.begin + at, chunk);
    crc = crc32_of(chunk, crc);
    at += size;
  }
  zip_.check_crc(storage, crc);
  verified_.insert(&storage);
}

// Reads from the first element to the last and picks.
void PthFile::read_strided(const PthTensor& tensor, const ZipEntry& storage, View into) const {
  const int64_t size = size_of(tensor.type.dtype);
  std::vector<std::byte> part(static_cast<size_t>(tensor.span() * size));
  zip_.file().read(storage.begin + tensor.offset * size, part);
  auto* out = static_cast<std::byte*>(into.data);
  std::array<int64_t, kMaxRank> index{};
  const Shape& shape = tensor.type.shape;
  for (int64_t i = 0; i < shape.numel(); ++i, out += size) {
    int64_t from = 0;
    for (size_t axis = 0; axis < kMaxRank; ++axis) from += index[axis] * tensor.strides[axis];
    std::copy_n(part.data() + from * size, size, out);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if (++index[static_cast<size_t>(axis)] < shape[axis]) break;
      index[static_cast<size_t>(axis)] = 0;
    }
  }
}

}  // namespace grimace
