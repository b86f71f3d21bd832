#include "tests/runtime/hostile_pth.h"

#include <functional>

#include "ir/error.h"
#include "tests/runtime/pth_forge.h"

namespace grimace::testing {
namespace {

using Files = std::vector<HostileFile>;

std::string pickled(const std::string& value, char protocol = 2) {
  return pth_with(whole(value, protocol)).bytes();
}
std::string in_model(const std::string& value) {
  return pickled(dict({{"model", dict({{"w", value}})}}));
}

// Code that Python would run on loading.
void add_calls(Files& files, const std::string& marker) {
  const std::string command = "(" + text("touch " + marker) + "t";
  const std::pair<const char*, const char*> functions[] = {
      {"os", "system"},
      {"posix", "system"},
      {"nt", "system"},
      {"subprocess", "Popen"},
      {"subprocess", "check_output"},
      {"builtins", "eval"},
      {"builtins", "exec"},
      {"__builtin__", "eval"},
      {"__builtin__", "execfile"},
      {"builtins", "getattr"},
      {"builtins", "__import__"},
      {"importlib", "import_module"},
      {"runpy", "run_path"},
      {"torch", "load"},
      {"torch.hub", "load"},
      {"pickle", "loads"},
      {"functools", "partial"},
      {"operator", "methodcaller"},
      {"webbrowser", "open"},
      {"shutil", "rmtree"},
      {"copyreg", "_reconstructor"},
      {"collections", "OrderedDict.fromkeys"},
      {"argparse", "Namespace"},
      {"torch._utils", "_rebuild_sparse_tensor"}};
  for (const auto& [module, name] : functions)
    files.push_back({cat("calls ", module, ".", name),
                     in_model(call(global(module, name), command)), "nothing was called"});
  const std::string system = text("os") + text("system") + "\x93";
  files.push_back({"stack_global", pickled(call(system, command), 4), "nothing was called"});
  files.push_back({"call beside the model",
                   pickled(dict({{"model", dict({{"w", ForgedTensor().pickle()}})},
                                 {"args", call(global("os", "system"), command)}})),
                   "nothing was called"});
  files.push_back({"call of a memoized function",
                   pickled(global("os", "system") +
                           "q\x01"
                           "0h\x01" +
                           command + "R"),
                   "nothing was called"});
  files.push_back({"call of a result", in_model(ForgedTensor().pickle() + command + "R"),
                   "calls a value that is no class"});
  files.push_back({"call without a tuple", in_model(global("os", "system") + text("x") + "R"),
                   "without a tuple"});
  files.push_back({"inst opcode", pickled("(" + text("x") + "ios\nsystem\n"), "opcode 105"});
  files.push_back(
      {"obj opcode", pickled("(" + global("os", "system") + text("x") + "o"), "opcode 111"});
  files.push_back({"extension opcode", pickled("\x82\x01"), "opcode 130"});
  files.push_back({"persistent text opcode", pickled("P0\n"), "opcode 80"});
  files.push_back({"state of a dict", pickled("}" + text("x") + "b"), "plain value"});
}

// Trees that are deep, long or endless.
void add_bombs(Files& files) {
  std::string laugh = std::string("]q\0", 3);
  for (char level = 1; level < 60; ++level)
    laugh += "0](" + repeat(std::string("h") + static_cast<char>(level - 1), 10) + "eq" + level;
  files.push_back({"marks", pickled(repeat("(", 100'000)), "nests deeper"});
  files.push_back(
      {"lists in lists", pickled(repeat("]", 100'000) + repeat("a", 99'999)), "nests deeper"});
  files.push_back({"tuples in tuples", pickled("N" + repeat("\x85", 1'000'000)), "nests deeper"});
  files.push_back({"dicts in dicts",
                   pickled("}" + repeat(text("k") + "}", 9'999) + repeat("s", 9'999)),
                   "nests deeper"});
  files.push_back(
      {"calls in calls",
       pickled(repeat(global("collections", "OrderedDict"), 5000) + ")" + repeat("R\x85", 4000)),
       "nests deeper"});
  files.push_back({"memo far away", pickled("Nr" + little_endian(0xfffffff0u)), "has a memo"});
  files.push_back({"memo never set", pickled("h\x07"), "never set"});
  files.push_back({"shared lists, 10^60", in_model(laugh), "nested or repeated"});
  files.push_back({"a list in itself",
                   in_model("]q\x01h\x01"
                            "a"),
                   "nested or repeated"});
  files.push_back(
      {"a dict in itself", pickled("}q\x01" + text("model") + "h\x01s"), "nested or repeated"});
  files.push_back({"settings of 64 KiB, 1000 times",
                   pickled("}" + text("model") + dict({{"w", ForgedTensor().pickle()}}) + "s" +
                           text("k") + text(std::string(65'536, 'x')) + "q\x01s" +
                           [] {
                             std::string more;
                             for (int i = 0; i < 1000; ++i) more += text(cat("k", i)) + "h\x01s";
                             return more;
                           }()),
                   "bytes of settings"});
  files.push_back({"too many opcodes", pickled(repeat("N0", 1'500'000)), "opcodes"});
  files.push_back({"too many values", pickled(repeat("]0", 300'000)), "more than 250000 values"});
  files.push_back({"too many names",
                   pickled(repeat(global("collections", "OrderedDict") + "0", 220'000)),
                   "more than 10000 classes"});
  files.push_back({"a long name, again and again",
                   pickled(text(std::string(1 << 20, 'x')) + "q\x01" + text("y") + "q\x02\x93" +
                               repeat("0h\x01h\x02\x93", 10'000),
                           4),
                   "of a very long name"});
  files.push_back({"too long a pickle", pickled(repeat("N0", 5'000'000)), "bytes (limit"});
}

// Pickles that break off or do not add up.
void add_broken_pickles(Files& files) {
  const auto cut = "is cut short";
  files.push_back({"text of 4 GiB", pickled("X" + little_endian(0xffffffffu) + "x"), cut});
  files.push_back({"text of 2^63", pickled("\x8d" + little_endian(uint64_t{1} << 63), 4), cut});
  files.push_back({"bytes of 2^64", pickled("\x8e" + little_endian(~uint64_t{0}), 4), cut});
  files.push_back(
      {"bytearray of 2^62", pickled("\x96" + little_endian(uint64_t{1} << 62), 5), cut});
  files.push_back({"frame beyond", pickled("\x95" + little_endian(uint64_t{1} << 40), 4), cut});
  files.push_back({"global without end",
                   pth_with("\x80\x02"
                            "cos")
                       .bytes(),
                   cut});
  files.push_back(
      {"integer of 255 bytes", pickled("\x8a\xff" + std::string(255, 'x')), "integer of 255"});
  files.push_back({"empty stack", pickled("0"), "empty stack"});
  files.push_back({"pop below a mark", pickled("N(0"), "empty stack"});
  files.push_back({"no mark", pickled("u"), "misses a mark"});
  files.push_back({"key without value", pickled("}(" + text("k") + "u"), "a key and no value"});
  files.push_back({"items of a number", pickled("K\x01(NNu"), "cannot be filled"});
  files.push_back({"no end", pth_with("\x80\x02N").bytes(), cut});
  files.push_back({"more after the end", pth_with(whole("}") + "N.").bytes(), "after its end"});
  files.push_back({"two values", pickled("NN"), "ends with 2"});
  files.push_back({"no pickle", pth_with("").bytes(), "does not begin"});
  files.push_back({"protocol 0", pth_with("(dp0\n.").bytes(), "does not begin"});
  files.push_back({"protocol 9", pickled("}", 9), "protocol 9"});
  files.push_back({"a list", pickled("]"), "no dict of named tensors"});
  files.push_back({"no tensors", pickled(dict({{"model", dict({{"w", "N"}})}})), "no tensors"});
  files.push_back({"class named by a number", pickled("K\x01K\x02\x93", 4), "other than text"});
}

// Tensors that reach out of their storage.
void add_tensors(Files& files) {
  const auto add = [&](const char* name, const ForgedTensor& tensor, const char* complaint) {
    files.push_back({name, pth_with(tensor).bytes(), complaint});
  };
  const auto tensor = [](auto change) {
    ForgedTensor result;
    change(result);
    return result;
  };
  using T = ForgedTensor&;
  const auto outside = "does not lie in its storage";
  add("storage of 2^60", tensor([](T t) { t.elements = int64_t{1} << 60; }), "claims a storage");
  add("storage one too large", tensor([](T t) { t.elements = 5; }), "claims a storage");
  add("negative storage", tensor([](T t) { t.elements = -4; }), outside);
  add("storage not there", tensor([](T t) { t.key = "7"; }), "is not in the file");
  add("storage elsewhere", tensor([](T t) { t.key = "../../../etc/passwd"; }), "not in the file");
  add("negative stride", tensor([](T t) { t.strides = {-2, 1}; }), outside);
  add("stride overflow", tensor([](T t) { t.strides = {INT64_MAX, 1}; }), outside);
  add("stride sum overflow", tensor([](T t) { t.strides = {INT64_MAX, INT64_MAX}; }), outside);
  add("stride too long", tensor([](T t) { t.strides = {3, 1}; }), outside);
  add("negative size", tensor([](T t) { t.shape = {-2, 2}; }), "must not be negative");
  add("shape overflow", tensor([](T t) {
        t.shape = {int64_t{1} << 40, int64_t{1} << 40};
      }),
      "exceeds the limit");
  add("spread out 2^39 times", tensor([](T t) {
        t.shape = {int64_t{1} << 39, 1}, t.strides = {0, 1};
      }),
      outside);
  add("negative offset", tensor([](T t) { t.offset = -1; }), outside);
  add("offset beyond", tensor([](T t) { t.offset = 1; }), outside);
  add("offset overflow", tensor([](T t) { t.offset = INT64_MAX; }), outside);
  add("rank 9", tensor([](T t) { t.shape.assign(9, 1), t.strides.assign(9, 1); }), "at most 8");
  add("strides missing", tensor([](T t) { t.strides = {1}; }), "2 dimensions and 1 strides");
  add("element type", tensor([](T t) { t.storage = "QInt8Storage"; }), "QInt8Storage");
}

// Tensors whose parts are of the wrong kind, and names that share too much.
void add_tensor_parts(Files& files) {
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string rest = integer(0) + integers({4}) + integers({1});
  files.push_back(
      {"storage is a number", in_model(rebuild + "(K\x01" + rest + "tR"), "names no storage"});
  files.push_back({"identity is a text", in_model(rebuild + "(" + text("0") + "Q" + rest + "tR"),
                   "names no storage"});
  files.push_back({"identity is short",
                   in_model(rebuild + "(" + tuple({text("storage")}) + "Q" + rest + "tR"),
                   "names no storage"});
  files.push_back(
      {"sizes are texts",
       in_model(rebuild + "(" + ForgedTensor().id() + "Q" + integer(0) + "(" + text("a") + "t)tR"),
       "whole number"});
  files.push_back({"tensor without parts", in_model(rebuild + ")R"), "has 0 parts"});
  files.push_back({"one name twice",
                   pickled(dict({{"model", dict({{"w", ForgedTensor().pickle()},
                                                 {"w", ForgedTensor().pickle()}})}})),
                   "is there twice"});
  const std::string tensor = ForgedTensor().pickle();
  files.push_back(
      {"name of a state twice",
       pickled(dict({{"model", dict({{"w", tensor}})},
                     {"optimizer", dict({{"state", dict({{"0", dict({{"exp_avg", tensor}})}})},
                                         {"param_groups", "](" + dict({{"lr", "K\x01"}}) + "e"},
                                         {"exp_avg", dict({{"w", tensor}})}})}})),
       "\"optimizer.exp_avg.w\" is there twice"});
  const auto sharing = [](const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
    std::vector<std::pair<std::string, std::string>> many;
    for (int i = 0; i < 500; ++i) {
      ForgedTensor shared;
      shared.shape = shape, shared.strides = strides, shared.elements = 250'000;
      many.emplace_back(cat("w", i), shared.pickle());
    }
    ForgedZip zip = pth_with(whole(dict({{"model", dict(many)}})));
    zip.entries[2].data = std::string(1'000'000, '\0');
    return zip.bytes();
  };
  files.push_back({"one storage 500 times", sharing({250'000}, {1}), "it is made to harm"});
  files.push_back({"its two ends 500 times", sharing({2}, {249'999}), "it is made to harm"});
}

using Z = ForgedZip&;
using E = ForgedEntry&;

// A good file changed by `change`, which gets its zip and the entry of its storage.
void add_changed(Files& files, const char* name, const char* complaint,
                 const std::function<void(Z, E)>& change) {
  ForgedZip zip = pth_with(ForgedTensor());
  change(zip, zip.entries[2]);
  files.push_back({name, zip.bytes(), complaint});
}

// Entries that lie about their names, places and sizes.
void add_entries(Files& files) {
  const auto add = [&](auto... parts) { add_changed(files, parts...); };
  const auto bad_name = "not one that a checkpoint has";
  for (const char* name :
       {"../../etc/cron.d/x", "a/../../x", "/etc/passwd", "a\\..\\x", "C:/x", "a/./x", "a/x\ny"})
    add(name, bad_name, [&](Z, E e) { e.name = name; });
  add("empty name", bad_name, [](Z, E e) { e.name = ""; });
  add("long name", bad_name, [](Z, E e) { e.name = "a/" + std::string(600, 'x'); });
  add("NUL in a name", bad_name, [](Z, E e) { e.name = std::string("a/\0x", 4); });
  add("two entries in one place", "do not agree", [](Z z, E) {
    z.entries.push_back({.name = "a/data/1", .data = "", .claimed_header = 0, .is_stored = false});
  });
  add("one entry twice", "overlaps", [](Z z, E e) {
    ForgedEntry again = e;
    const std::string before = ForgedZip{.entries = {z.entries[0], z.entries[1]}}.bytes();
    again.claimed_header = static_cast<int64_t>(before.find("PK\x01\x02"));
    again.is_stored = false;
    z.entries.push_back(again);
  });
  add("an entry around the next", "overlaps", [](Z, E e) { e.claimed_size = e.local_size = 60; });
  add("an entry over the directory", "overlaps",
      [](Z z, E) { z.entries.back().claimed_size = z.entries.back().local_size = 100; });
  add("size beyond the file", "claims 100000 bytes",
      [](Z, E e) { e.claimed_size = e.local_size = 100'000; });
  add("size of 2^62", "claims", [](Z, E e) { e.claimed_size = int64_t{1} << 62, e.flags = 8; });
  add("begins beyond the file", "outside of the file", [](Z, E e) { e.claimed_header = 1 << 20; });
  add("begins at 2^62", "outside of the file", [](Z, E e) { e.claimed_header = int64_t{1} << 62; });
  add("compressed", "is compressed", [](Z, E e) { e.method = 8; });
  add("encrypted", "is encrypted", [](Z, E e) { e.flags = 1; });
  add("two sizes", "has two sizes", [](Z, E e) { e.local_size = 3; });
  add("two names", "do not agree", [](Z, E e) { e.local_name = "a/data/9"; });
  add("same name twice", "is there twice", [](Z z, E e) { z.entries.push_back(e); });
  add("two folders", "not in one folder", [](Z, E e) { e.name = "b/data/0"; });
  add("no folder", "not in one folder", [](Z, E e) { e.name = "data"; });
  add("wrong checksum of the pickle", "checksum", [](Z z, E) { z.entries[0].crc_error = 1; });
  add("wrong checksum of a storage", "checksum", [](Z, E e) { e.crc_error = 1; });
}

// Containers that lie, and other kinds of files.
void add_containers(Files& files) {
  const std::string good = pth_with(ForgedTensor()).bytes();
  const auto add = [&](auto... parts) { add_changed(files, parts...); };
  add("no pickle", "without data.pkl", [](Z z, E) { z.entries[0].name = "a/other.pkl"; });
  add("other byte order", "byte order", [](Z z, E) { z.entries[1].data = "big"; });
  add("TorchScript", "TorchScript", [](Z, E e) { e.name = "a/constants.pkl"; });
  add("too many entries claimed", "is damaged at entry", [](Z z, E) { z.claimed_count = 19'999; });
  add("too few entries claimed", "has more than", [](Z z, E) { z.claimed_count = 1; });
  add("no entries", "claims 0 entries", [](Z z, E) { z.claimed_count = 0; });
  add("directory elsewhere", "does not end where", [](Z z, E) { z.claimed_directory = 1; });
  add("directory beyond", "does not end where", [](Z z, E) { z.claimed_directory = 1 << 30; });
  add("directory of 4 GiB", "does not end where", [](Z z, E) { z.claimed_bytes = 0xfffffff0; });
  add("64-bit record elsewhere", "outside of the file", [](Z z, E) {
    z.before_end =
        "PK\x06\x07" + little_endian(0) + little_endian(int64_t{1} << 60) + little_endian(1);
  });
  add("64-bit record missing", "no 64-bit end record", [](Z z, E) {
    z.before_end = "PK\x06\x07" + little_endian(0) + little_endian(int64_t{0}) + little_endian(1);
  });
  ForgedZip crowd = pth_with(ForgedTensor());
  for (int i = 0; i < 25'000; ++i) crowd.entries.push_back({.name = cat("a/", i), .data = ""});
  files.push_back({"25000 entries", crowd.bytes(), "claims 25004 entries"});
  files.push_back({"cut in half", good.substr(0, good.size() / 2), "truncated"});
  files.push_back({"cut by a byte", good.substr(0, good.size() - 1), "truncated"});
  files.push_back({"appended", good + "x", "truncated"});
  files.push_back(
      {"old format", "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", "old format"});
  files.push_back({"bare pickle", whole(dict({})), "bare pickle"});
  files.push_back({"gzip", std::string("\x1f\x8b\x08\x00", 4) + "abcdefgh", "compressed archive"});
  files.push_back({"empty", "", "not a PyTorch file"});
  files.push_back({"text", "hello, world", "not a PyTorch file"});
}

}  // namespace

std::vector<HostileFile> hostile_pth_files(const std::string& marker) {
  Files files;
  add_calls(files, marker);
  add_bombs(files);
  add_broken_pickles(files);
  add_tensors(files);
  add_tensor_parts(files);
  add_entries(files);
  add_containers(files);
  return files;
}

}  // namespace grimace::testing
