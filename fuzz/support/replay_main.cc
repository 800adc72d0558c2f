// Runs a target once with each file that it is given, or that is in a folder
// that it is given: without a fuzzer, so with any compiler.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// compiler-rt and libasan have it; what is built without them does not.
extern "C" void __sanitizer_set_death_callback(void (*callback)())
    __attribute__((weak));

namespace {

std::string current;

void SayWhere() { std::fprintf(stderr, "\nwith %s\n", current.c_str()); }

// A replay that has nothing to replay finds nothing either, and is not to pass.
[[noreturn]] void GiveUp(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

void Replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) GiveUp(path.string() + " cannot be read");
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  current = path;
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, [](int) { SayWhere(); });
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(SayWhere);
  }
  LLVMFuzzerInitialize(&argc, &argv);
  int count = 0;
  for (int i = 1; i < argc; i++) {
    if (!std::filesystem::is_directory(argv[i])) {
      Replay(argv[i]);
      count++;
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      Replay(entry.path());
      count++;
    }
  }
  if (count == 0) GiveUp("there are no inputs");
  std::fprintf(stderr, "%d inputs\n", count);
  return 0;
}
