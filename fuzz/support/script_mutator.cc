#include "script_mutator.h"

#include <algorithm>
#include <cstring>
#include <random>

// libFuzzer's own; absent where inputs are only replayed, and nobody mutates.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size)
    __attribute__((weak));

namespace tls_client_cert::fuzz {

size_t MutateScript(uint8_t* data, size_t size, size_t max_size, unsigned seed,
                    size_t head, size_t entry) {
  if (LLVMFuzzerMutate == nullptr) return size;
  std::minstd_rand random(seed);
  const auto below = [&](size_t limit) {
    return static_cast<size_t>(random()) % limit;
  };
  // Now and then as it would be without us: that also copies from elsewhere.
  if (size < head + entry || below(8) == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const size_t count = (size - head) / entry;
  uint8_t* const entries = data + head;
  const auto at = [&](size_t index) { return entries + index * entry; };
  size = head + count * entry;
  const size_t one = below(count);
  switch (below(6)) {
    case 0:
      if (head == 0) break;
      LLVMFuzzerMutate(data, head, head);
      return size;
    case 1: {  // a new one, after `one`
      if (size + entry > max_size) break;
      std::memmove(at(one + 1) + entry, at(one + 1), (count - one - 1) * entry);
      for (size_t i = 0; i < entry; i++) {
        at(one + 1)[i] = static_cast<uint8_t>(below(256));
      }
      return size + entry;
    }
    case 2:  // `one` goes
      std::memmove(at(one), at(one) + entry, (count - one - 1) * entry);
      return size - entry;
    case 3: {  // `one` once more, somewhere
      if (size + entry > max_size) break;
      const size_t to = below(count + 1);
      uint8_t copy[16];
      std::memcpy(copy, at(one), entry);
      std::memmove(at(to) + entry, at(to), (count - to) * entry);
      std::memcpy(at(to), copy, entry);
      return size + entry;
    }
    case 4:
      std::swap_ranges(at(one), at(one) + entry, at(below(count)));
      return size;
    default:
      break;
  }
  LLVMFuzzerMutate(at(one), entry, entry);
  return size;
}

}  // namespace tls_client_cert::fuzz
