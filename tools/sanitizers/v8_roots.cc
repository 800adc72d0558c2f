// V8's objects lie in mappings of their own, which LeakSanitizer does not
// read: what only they refer to looked lost, a thousand times in each process,
// and to write that down took longer than the tests. V8 puts its mappings
// where this region is, and nothing else does.
#include <cstddef>
#include <cstdint>

extern "C" __attribute__((weak)) void __lsan_register_root_region(
    const void* begin, size_t size);

namespace {

// Of x86-64: from the end of AddressSanitizer's shadow to below its allocator.
constexpr uintptr_t kBegin = 0x10007fff8000;
constexpr uintptr_t kEnd = 0x500000000000;

[[gnu::constructor]] void RegisterRoots() {
  if (__lsan_register_root_region == nullptr) return;
  __lsan_register_root_region(reinterpret_cast<const void*>(kBegin),
                              kEnd - kBegin);
}

}  // namespace
